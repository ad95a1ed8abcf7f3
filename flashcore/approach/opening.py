"""Opening a port whatever stands in the way for a moment: another program, permissions that are just being set, a driver.

Source: fault catalogue rows 4, 12, 22.
"""

from __future__ import annotations

from flashcore.approach.patience import Patience
from flashcore.errors import PortBusyError, PortDeniedError, PortError
from flashcore.host import Host
from flashcore.loader.progress import OnEvent, Recovery
from flashcore.port import Port, ns

REFUSES = "port.refuses_config"
"""Code of the error of a driver that does not take the port's settings."""


class Opener:
    """Opens one port, with patience.

    Args:
        host: The computer.
        patience: How long to wait for what.
        on_event: Is told of each kind of waiting once.
    """

    def __init__(self, host: Host, patience: Patience, on_event: OnEvent) -> None:
        self._host = host
        self._patience = patience
        self._on_event = on_event

    def open(self, name: str, baudrate: int, *, has_twin: bool = False) -> Port:
        """Open `name`.

        Args:
            name: The port.
            baudrate: Rate in baud.
            has_twin: Whether another port leads to the same device, so that waiting for this one is not worth much.

        Raises:
            PortBusyError: Another program keeps it; the message names it where the system tells.
            PortDeniedError: It stays forbidden; the hint says what to do.
            PortError: It is not there, or cannot be opened.
        """
        patience, clock = self._patience, self._host.clock
        start = clock.now_ns()
        told: set[str] = set()
        refused = 0

        def tell(error: PortError, wait_s: float) -> None:
            if error.code not in told:
                told.add(error.code)
                self._on_event(Recovery(cause=error.code, text=f"{error.message}; trying again for {wait_s:g} s"))

        while True:
            try:
                return self._host.open(name, baudrate)
            except PortBusyError as error:
                failure, wait_s = self._busy(name, error), patience.busy_twin_s if has_twin else patience.busy_s
                pause_s = 0.25
            except PortDeniedError as error:
                failure, wait_s = self._denied(name, error), patience.denied_s
                pause_s = 0.1
            except PortError as error:
                if error.code != REFUSES:
                    raise
                if refused >= len(patience.settings_s):
                    raise _refuses(error, refused + 1) from error
                tell(error, sum(patience.settings_s))
                clock.sleep_until(clock.now_ns() + ns(patience.settings_s[refused]))
                refused += 1
                continue
            if clock.now_ns() - start >= ns(wait_s):
                raise failure
            tell(failure, wait_s)
            clock.sleep_until(clock.now_ns() + ns(pause_s))

    def _busy(self, name: str, error: PortBusyError) -> PortError:
        holder = self._host.holder(name)
        if not holder:
            return error
        return PortBusyError(
            f"{name} is used by {holder}",
            hint=f"close {holder}, and try again",
            context={**error.context, "holder": holder},
        )

    def _denied(self, name: str, error: PortDeniedError) -> PortError:
        command = self._host.permission_hint(name)
        if not command:
            return error
        return PortDeniedError(
            f"access to {name} is denied",
            hint=f"{command}, then log out and in again",
            context={**error.context, "command": command},
        )


def _refuses(error: PortError, tries: int) -> PortError:
    return PortError(
        f"{error.message} ({tries} tries)",
        hint="unplug the board and plug it in again; if that does not help, the driver does not fit the adapter (a clone of a "
        "CH340 with a newer driver: install an older one), or the chip keeps restarting: hold BOOT while plugging it in",
        code=REFUSES,
        context=error.context,
    )
