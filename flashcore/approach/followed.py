"""A port that is followed: when it goes, it is looked for where its device was plugged in, whatever it is called now.

Names are given anew at each return, and a chip that is a USB device itself changes its product id with what it runs; the socket
stays. Where the system does not tell sockets, the serial number counts, and then the name. Whoever uses the port must make sure
afterwards that the same chip answers, see `flashcore.loader.bond`. Source: fault catalogue rows 9, 23, 28, 35, 38, 64.
"""

from __future__ import annotations

import contextlib

from flashcore.approach.absence import grabbed
from flashcore.approach.candidates import candidates, socket, twins
from flashcore.approach.opening import REFUSES, Opener
from flashcore.approach.patience import Patience
from flashcore.errors import FlashcoreError, PortError, PortLostError, PortNotFoundError
from flashcore.host import Host, PortInfo
from flashcore.loader.line import CHANGED_OVER
from flashcore.port import NS_PER_S, Clock, LineSupport, Port, ns


class FollowedPort:
    """An open port with its place in the world.

    Args:
        host: The computer.
        port: The open port; it belongs to this one from now on.
        info: What the list of ports said about it; ``None`` if it is in no list.
        opener: How to open it again.
        patience: How long to wait for what.
    """

    def __init__(self, host: Host, port: Port, info: PortInfo | None, opener: Opener, patience: Patience) -> None:
        self._host = host
        self._port = port
        self._info = info
        self._opener = opener
        self._patience = patience
        self._baudrate = port.baudrate
        self._support = port.line_support
        self._name = port.name
        self._strangers = frozenset(socket(other.location) for other in host.ports() if other.location)
        self._opened_ns = self.clock.now_ns()
        self._lines_ns: int | None = None

    @property
    def name(self) -> str:
        """The name of the port now."""
        return self._name

    @property
    def clock(self) -> Clock:
        """The host's clock."""
        return self._host.clock

    @property
    def line_support(self) -> LineSupport:
        """What the link can do with DTR and RTS."""
        return self._support

    @property
    def baudrate(self) -> int:
        """The rate at the host's side, in baud; also while the port is gone."""
        return self._baudrate

    def set_baudrate(self, baudrate: int) -> None:
        """Change the rate at the host's side.

        Raises:
            PortError: The driver refuses the rate.
            PortLostError: The port vanished.
        """
        try:
            self._port.set_baudrate(baudrate)
        except PortError as error:
            if error.code != REFUSES:
                raise
            self._port.close()
            self._take(self._info, self._opener.open(self._name, baudrate))
        self._baudrate = baudrate

    def read(self, max_bytes: int, deadline_ns: int) -> bytes:
        """Return what is there, waiting for the first byte until `deadline_ns`.

        Raises:
            PortLostError: The port vanished.
        """
        return self._port.read(max_bytes, deadline_ns)

    def write(self, data: bytes, deadline_ns: int) -> None:
        """Hand all of `data` to the driver.

        Raises:
            DeadlineExceededError: The driver did not take all of it in time.
            PortLostError: The port vanished.
        """
        self._port.write(data, deadline_ns)

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Assert (true) or release (false) the modem lines; ``None`` leaves a line as it is.

        Raises:
            LinesUnsupportedError: The link has no modem lines.
            PortLostError: The port vanished.
        """
        self._lines_ns = self.clock.now_ns()
        self._port.set_lines(dtr=dtr, rts=rts)
        self._lines_ns = self.clock.now_ns()

    def discard_input(self) -> None:
        """Forget everything received but not yet read."""
        self._port.discard_input()

    def close(self) -> None:
        """Give the port back. Closing twice is harmless."""
        self._port.close()

    # --- coming back ------------------------------------------------------------------------------------------------

    def bring_back(self, cause: FlashcoreError) -> bool:
        """Wait until the port is there again and open it, at the rate that it had.

        Args:
            cause: Why that is needed.

        Returns:
            Whether the port went because of what was done to it, so that the chip may be waiting in its loader now.

        Raises:
            PortError: It does not come back in time, or cannot be opened again.
        """
        if cause.code == CHANGED_OVER:
            return True
        now = self.clock.now_ns()
        ours = self._lines_ns is not None and now - self._lines_ns <= ns(self._patience.own_doing_s)
        early = isinstance(cause, PortLostError) and not ours and now - self._opened_ns <= ns(self._patience.grabbed_s)
        self._port.close()
        deadline = now + ns(self._patience.return_s)
        failure: PortError | None = None
        while True:
            found = self._look()
            if found is not None:
                try:
                    port = self._opener.open(found.device, self._baudrate)
                    self._take(found if self._info is not None else None, port)
                    return ours
                except (PortNotFoundError, PortLostError):
                    failure = None
                except PortError as error:
                    failure = error
            if self.clock.now_ns() >= deadline:
                raise failure or self._gone(cause, now - self._opened_ns, ours=ours, early=early)
            self.clock.sleep_until(self.clock.now_ns() + ns(self._patience.poll_s))

    def change_over(self) -> bool:
        """Go on through another port of the same device, if there is one; tell whether that was done."""
        if self._info is None:
            return False
        ports = {port.device: port for port in self._host.ports()}
        others = twins(self._info, ports.values())
        if not others:
            return False
        self._port.close()
        for name in others:
            with contextlib.suppress(PortError):
                self._take(ports[name], self._opener.open(name, self._baudrate, has_twin=True))
                return True
        self._take(self._info, self._opener.open(self._info.device, self._baudrate))
        return False

    def _take(self, info: PortInfo | None, port: Port) -> None:
        self._port, self._name, self._support = port, port.name, port.line_support
        self._info = info
        self._opened_ns, self._lines_ns = self.clock.now_ns(), None

    def _look(self) -> PortInfo | None:
        """Return the port as it is listed now, if it is."""
        known = self._info
        if known is None:
            return PortInfo(device=self._name)
        ports = self._host.ports()
        found: list[PortInfo] = []
        if known.location:
            found = [port for port in ports if port.location and socket(port.location) == socket(known.location)]
        if not found and known.serial_number:
            same = [port for port in ports if (port.vid, port.serial_number) == (known.vid, known.serial_number)]
            found = same if len({socket(port.location) for port in same}) == 1 else []
        if not found and not known.location:
            found = [port for port in ports if port.device == known.device]
        if not found:
            new = [one for one in candidates(ports) if socket(one.best.location) not in self._strangers]
            found = list(new[0].ports) if len(new) == 1 else []
        return next((port for port in found if port.device == known.device), found[0] if found else None)

    def _gone(self, cause: FlashcoreError, after_ns: int, *, ours: bool, early: bool) -> PortError:
        bare = self._info is not None and any(
            not device.ports and socket(device.location) == socket(self._info.location)
            for device in self._host.usb_devices() or ()
        )
        meddlers = self._host.meddlers()
        waited = f"{self._patience.return_s:g} s"
        context: dict[str, str | int | float | bool | None] = {"port": self._name, "after_s": after_ns / NS_PER_S}
        if early and (bare or meddlers):
            return grabbed(f"{self._name} vanished {after_ns / NS_PER_S:.1f} s after it was opened, without a reset", meddlers)
        if ours:
            return PortLostError(
                f"{self._name} left the USB when the board was reset, and did not come back within {waited}",
                hint="re-attach the device: to the virtual machine, to the container, or with usbipd attach, and let it be "
                "attached by itself in future; or plug it in again with BOOT held, and use --before no-reset",
                code="port.lost_at_reset",
                context=context,
            )
        return PortLostError(
            f"{self._name} vanished and did not come back within {waited} ({cause.message})",
            hint="the cable was pulled, the board restarted its USB, or its power broke down: check cable and supply",
            context=context,
        )
