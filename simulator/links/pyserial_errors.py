"""What pyserial raises when the system refuses something, on each operating system.

pyserial wraps some system calls and lets the errors of others through, and its Windows half words them in another way; clients
match these texts, or print them.
Source: behaviour of pyserial 3.5 on Linux, seen; reports of the fault catalogue (rows 4, 9, 12, 22) for the texts on macOS and
Windows.
"""

from __future__ import annotations

import termios
from enum import Enum, unique

from serial.serialutil import SerialException

from flashcore.errors import PortError
from simulator.host.refusals import refusal_of
from simulator.host.system import Answer, Os, Refusal, answer


@unique
class Call(Enum):
    """What the client was doing."""

    OPEN = "open"
    CONFIGURE = "configure"
    READ = "read"
    WRITE = "write"
    LINES = "lines"
    WAITING = "waiting"
    FLUSH = "flush"


_CONTENDED = "device reports readiness to read but returned no data (device disconnected or multiple access on port?)"
_WINDOWS_CALLS = {
    Call.READ: "ClearCommError",
    Call.WAITING: "ClearCommError",
    Call.WRITE: "WriteFile",
    Call.FLUSH: "PurgeComm",
    Call.LINES: "EscapeCommFunction",
}


def said(problem: PortError, call: Call, os: Os, port: str) -> Exception:
    """Return what pyserial raises in place of `problem`."""
    refusal = refusal_of(problem)
    if refusal is None:
        # The client's own port is closed already, or the model's own limit was met.
        return SerialException(problem.message)
    if call is Call.OPEN:
        return opening(os, port, refusal)
    system = answer(os, refusal)
    if os is Os.WINDOWS:
        return _on_windows(call, system)
    if refusal is Refusal.SHARED:
        return SerialException(_CONTENDED)
    return _on_posix(call, system, os)


def opening(os: Os, port: str, refusal: Refusal) -> SerialException:
    """Return what pyserial raises if `port` does not open."""
    system = answer(os, refusal)
    if refusal is Refusal.CONFIG:
        return _configuration(system, os)
    if os is Os.WINDOWS:
        return SerialException(f"could not open port {port!r}: {_win_error(system)!r}")
    said = f"[Errno {system.number}] {system.text}"
    if refusal is Refusal.LOCKED:
        return SerialException(system.number, f"Could not exclusively lock port {port}: {said}")
    return SerialException(system.number, f"could not open port {port}: {said}: {port!r}")


def _configuration(system: Answer, os: Os) -> SerialException:
    if os is Os.WINDOWS:
        return SerialException(f"Cannot configure port, something went wrong. Original message: {_win_error(system)!r}")
    return SerialException(f"Could not configure port: ({system.number}, {system.text!r})")


def _on_windows(call: Call, system: Answer) -> SerialException:
    if call is Call.CONFIGURE:
        return _configuration(system, Os.WINDOWS)
    return SerialException(f"{_WINDOWS_CALLS[call]} failed ({_win_error(system)!r})")


def _on_posix(call: Call, system: Answer, os: Os) -> Exception:
    match call:
        case Call.READ if os is Os.LINUX:
            # A terminal that was hung up is readable and at its end.
            return SerialException(_CONTENDED)
        case Call.READ | Call.WRITE:
            return SerialException(f"{call.value} failed: [Errno {system.number}] {system.text}")
        case Call.CONFIGURE:
            return _configuration(system, os)
        case Call.FLUSH:
            return termios.error(system.number, system.text)
        case _:
            return OSError(system.number, system.text)


class _WinError(OSError):
    """An `OSError` that looks as on Windows, whose fourth field other systems do not keep."""

    def __repr__(self) -> str:
        name = "FileNotFoundError" if self.args[3] == 2 else "PermissionError"
        return f"{name}({self.args[0]}, {self.args[1]!r}, None, {self.args[3]})"


def _win_error(system: Answer) -> _WinError:
    return _WinError(system.number, system.text, None, system.winerror)
