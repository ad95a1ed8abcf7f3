"""Operating systems, as far as a serial port shows them: names of ports, and the errors of a driver.

Source: docs/sources.md, Bridges for names; `errno` of Linux and Darwin and Windows' system error codes for numbers and texts,
which reports of the fault catalogue quote (rows 4, 9, 12, 22).
Fidelity: from source; the code that a driver gives for a device that is gone differs between drivers, the commonest is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from types import MappingProxyType

from simulator.board.bridge import Driver


@unique
class Os(StrEnum):
    """Whose ports and errors are shown."""

    LINUX = "linux"
    MACOS = "macos"
    WINDOWS = "windows"


DRIVERS: Mapping[Os, tuple[Driver, ...]] = MappingProxyType(
    {
        Os.LINUX: (Driver.LINUX,),
        Os.MACOS: (Driver.MACOS_APPLE, Driver.MACOS_VENDOR),
        Os.WINDOWS: (Driver.WINDOWS,),
    }
)
"""The drivers of each system, the one that comes with it first."""

FIRST_NUMBER: Mapping[Os, int] = MappingProxyType({Os.LINUX: 0, Os.MACOS: 1410, Os.WINDOWS: 3})
"""Where a system begins to count ports of one kind; on macOS the number stands for the socket."""

NUMBER_STEP: Mapping[Os, int] = MappingProxyType({Os.LINUX: 1, Os.MACOS: 10, Os.WINDOWS: 1})
"""By how much it goes on."""


@unique
class Refusal(StrEnum):
    """What a system does not do."""

    MISSING = "missing"
    """There is no port of that name."""
    BUSY = "busy"
    """Another program has it open."""
    LOCKED = "locked"
    """The same, by a lock that programs agree on."""
    DENIED = "denied"
    """The user may not."""
    CONFIG = "config"
    """The driver does not take the settings."""
    GONE = "gone"
    """The device was removed while the port was open."""
    SHARED = "shared"
    """A byte was announced, but another reader was faster."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a system call fails with.

    Args:
        number: POSIX ``errno``, also where Windows maps its own code to it.
        text: What the system calls it.
        winerror: Windows' own code; 0 elsewhere.
    """

    number: int
    text: str
    winerror: int = 0


_POSIX: Mapping[Refusal, tuple[int, str]] = MappingProxyType(
    {
        Refusal.MISSING: (2, "No such file or directory"),
        Refusal.BUSY: (16, "Device or resource busy"),
        Refusal.LOCKED: (11, "Resource temporarily unavailable"),
        Refusal.DENIED: (13, "Permission denied"),
        Refusal.CONFIG: (71, "Protocol error"),
        Refusal.GONE: (5, "Input/output error"),
        Refusal.SHARED: (0, ""),
    }
)
_DARWIN: Mapping[Refusal, tuple[int, str]] = MappingProxyType(
    {
        **_POSIX,
        Refusal.BUSY: (16, "Resource busy"),
        Refusal.LOCKED: (35, "Resource temporarily unavailable"),
        Refusal.CONFIG: (22, "Invalid argument"),
        Refusal.GONE: (6, "Device not configured"),
    }
)
_WINDOWS: Mapping[Refusal, tuple[int, str, int]] = MappingProxyType(
    {
        Refusal.MISSING: (2, "The system cannot find the file specified.", 2),
        Refusal.BUSY: (13, "Access is denied.", 5),
        Refusal.LOCKED: (13, "Access is denied.", 5),
        Refusal.DENIED: (13, "Access is denied.", 5),
        Refusal.CONFIG: (13, "A device attached to the system is not functioning.", 31),
        Refusal.GONE: (13, "The device does not recognize the command.", 22),
        Refusal.SHARED: (0, "", 0),
    }
)


def answer(os: Os, refusal: Refusal) -> Answer:
    """Return what `os` answers."""
    match os:
        case Os.LINUX:
            return Answer(*_POSIX[refusal])
        case Os.MACOS:
            return Answer(*_DARWIN[refusal])
        case Os.WINDOWS:
            return Answer(*_WINDOWS[refusal])
