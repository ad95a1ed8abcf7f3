"""What the operating system says about a serial port, as errors that say what to do about it."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterable

from flashcore.errors import PortBusyError, PortDeniedError, PortError, PortLostError, PortNotFoundError

_MISSING = frozenset({errno.ENOENT, errno.ENXIO, errno.ENODEV})
_BUSY = frozenset({errno.EBUSY, errno.EWOULDBLOCK, errno.EAGAIN})
_DENIED = frozenset({errno.EACCES, errno.EPERM})


def opening(name: str, error: Exception, known: Iterable[str] = ()) -> PortError:
    """Return the error for a port that could not be opened.

    Args:
        name: The port's name.
        error: What pyserial or the system raised.
        known: Names of the ports that exist, for a hint.
    """
    number = error.errno if isinstance(error, OSError) else None
    text = str(error)
    if number in _MISSING or "FileNotFoundError" in text:
        return PortNotFoundError(f"there is no port {name}", hint=_known_hint(known), context={"port": name, "errno": number})
    if number in _BUSY or "exclusively lock" in text:
        return PortBusyError(
            f"{name} is used by another program",
            hint="close the serial monitor, IDE or other flasher that has it open",
            context={"port": name, "errno": number},
        )
    if (number in _DENIED or "PermissionError" in text) and not refuses_settings(text):
        if sys.platform == "win32":
            return PortBusyError(
                f"{name} is used by another program, or access to it is denied",
                hint="close the serial monitor, IDE or other flasher that has it open",
                context={"port": name, "errno": number},
            )
        return PortDeniedError(
            f"access to {name} is denied",
            hint="join the group that owns the device (dialout or uucp), log in anew, and try again",
            context={"port": name, "errno": number},
        )
    if refuses_settings(text):
        return settings(name, text)
    return PortError(
        f"{name} cannot be opened: {text}",
        hint="is it a serial port, and has it a driver?",
        code="port.cannot_open",
        context={"port": name, "errno": number},
    )


def refuses_settings(text: str) -> bool:
    """Tell whether what pyserial says is that the driver does not take the port's settings at all (Windows' error 31)."""
    return "Cannot configure port" in text


def settings(name: str, text: str) -> PortError:
    """Return the error for a driver that does not take the port's settings."""
    return PortError(
        f"the driver of {name} refuses its settings: {text}",
        hint="unplug the board and plug it in again",
        code="port.refuses_config",
        context={"port": name},
    )


def shared(name: str) -> PortError:
    """Return the error for a port from which another program reads too."""
    return PortError(
        f"another program reads from {name} too: it took bytes that were announced",
        hint="close the serial monitor, IDE or other program that has the port open",
        code="port.shared",
        context={"port": name},
    )


def lost(name: str, error: Exception | None = None) -> PortLostError:
    """Return the error for a port that vanished while it was open."""
    reason = f" ({error})" if error else ""
    return PortLostError(
        f"{name} vanished{reason}",
        hint="the cable was pulled, the board restarted its USB, or its power broke down: check cable and supply, try again",
        context={"port": name},
    )


def _known_hint(known: Iterable[str]) -> str:
    names = list(known)
    if not names:
        return "no serial port is there at all: is the board plugged in, with a data cable, and its driver installed?"
    return f"there are: {', '.join(names)}"
