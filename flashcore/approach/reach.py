"""From "the board" to a session with its chip: find the port, open it, connect; through its twin if it stays silent."""

from __future__ import annotations

from collections.abc import Sequence

from flashcore.approach.absence import absence, without_port
from flashcore.approach.candidates import Candidate, candidates, twins
from flashcore.approach.followed import FollowedPort
from flashcore.approach.opening import Opener
from flashcore.approach.patience import DEFAULT_PATIENCE, Patience
from flashcore.errors import NoAnswerError, PortBusyError, PortDeniedError, PortError, PortLostError, PortNotFoundError
from flashcore.host import Host, PortInfo
from flashcore.loader import Flasher, OnEvent, Options
from flashcore.loader.progress import Recovery, ignore
from flashcore.port import ns

AUTO = "auto"
"""What stands for any port in place of a name."""


def reach(
    host: Host,
    wanted: str = AUTO,
    options: Options | None = None,
    *,
    patience: Patience = DEFAULT_PATIENCE,
    on_event: OnEvent = ignore,
) -> Flasher:
    """Connect to the chip behind a port.

    Args:
        host: The computer.
        wanted: The port's name, or ``auto`` for the only one that looks like a board.
        options: What to do differently from the defaults.
        patience: How long to wait for what.
        on_event: Receives progress and findings as they happen.

    Raises:
        PortError: There is no port, or it cannot be used; the code says why.
        ConnectError: No loader answers.
        CancelledError: The user interrupted it.
    """
    way = _Way(host, wanted, patience, on_event)
    silent: NoAnswerError | None = None
    while True:
        try:
            port = way.open()
        except PortError as error:
            raise silent or error from error
        try:
            return Flasher.open(port, options, on_event)
        except NoAnswerError as error:
            silent = silent or error
            way.tried.add(port.name)
            others = [name for name in way.names() if name not in way.tried]
            if not others:
                raise silent from None
            on_event(Recovery(cause=error.code, text=f"{error.message}; trying {others[0]}, which leads to the same device"))


def approach(
    host: Host, wanted: str = AUTO, *, patience: Patience = DEFAULT_PATIENCE, on_event: OnEvent = ignore
) -> FollowedPort:
    """Open a port, and follow it from then on.

    Args:
        host: The computer.
        wanted: The port's name, or ``auto`` for the only one that looks like a board.
        patience: How long to wait for what.
        on_event: Is told what is waited for.

    Raises:
        PortError: There is no port, or it cannot be opened; the code says why.
    """
    return _Way(host, wanted, patience, on_event).open()


class _Way:
    """The way to one port."""

    def __init__(self, host: Host, wanted: str, patience: Patience, on_event: OnEvent) -> None:
        self._host = host
        self._wanted = wanted
        self._patience = patience
        self._on_event = on_event
        self._opener = Opener(host, patience, on_event)
        self.tried: set[str] = set()
        """Names that lead to silence."""

    def open(self) -> FollowedPort:
        """Open the first of the names that opens, waiting for one to appear.

        Raises:
            PortError: None does.
        """
        patience, clock = self._patience, self._host.clock
        start, told = clock.now_ns(), False
        while True:
            ports = self._host.ports()
            names = [name for name in self._names(ports) if name not in self.tried]
            for number, name in enumerate(names):
                last = number == len(names) - 1
                try:
                    port = self._opener.open(name, 115200, has_twin=not last)
                except (PortNotFoundError, PortLostError):
                    # It went while it was being opened.
                    continue
                except (PortBusyError, PortDeniedError) as error:
                    if last:
                        raise
                    self._on_event(Recovery(cause=error.code, text=f"{error.message}; trying {names[number + 1]} instead"))
                else:
                    info = next((one for one in self._host.ports() if one.device == name), None)
                    return FollowedPort(self._host, port, info, self._opener, patience)
            wait_s = self._wait_s(ports)
            if clock.now_ns() - start >= ns(wait_s):
                raise absence(self._host, self._wanted)
            if not told:
                told = True
                missing = absence(self._host, self._wanted)
                self._on_event(Recovery(cause=missing.code, text=f"{missing.message}; waiting for {wait_s:g} s"))
            clock.sleep_until(clock.now_ns() + ns(patience.poll_s))

    def names(self) -> list[str]:
        """Return the names that lead to the device now, the best first."""
        return self._names(self._host.ports())

    def _names(self, ports: Sequence[PortInfo]) -> list[str]:
        if self._wanted == AUTO:
            found = candidates(ports)
            if len(found) > 1:
                raise ambiguous(found)
            return list(found[0].names) if found else []
        info = next((port for port in ports if port.device == self._wanted), None)
        return [self._wanted, *(twins(info, ports) if info is not None else ())]

    def _wait_s(self, ports: Sequence[PortInfo]) -> float:
        """Return how long to wait: briefly where waiting is not what is missing."""
        if "://" in self._wanted:
            return 0.0
        others = self._wanted != AUTO and bool(candidates(ports))
        short = others or bool(without_port(self._host.usb_devices()))
        return min(self._patience.other_s, self._patience.appear_s) if short else self._patience.appear_s


def ambiguous(found: Sequence[Candidate]) -> PortError:
    """Return the error for more than one board: which of them is meant is for the user to say."""
    names = ", ".join(one.best.device for one in found)
    return PortError(
        f"{len(found)} ports may have an Espressif chip behind them: {names}",
        hint="choose one with --port",
        code="port.ambiguous",
        context={"candidates": names},
    )
