"""What happens during a session, as values handed to one callback.

Events are facts in the order in which they happen; how to show them (a progress bar, JSON lines, nothing) is up to the
receiver. A `Finding` is what the user should know when all is over: a fault that was worked around, or a choice that was made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

from flashcore.errors import ContextValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong that flashcore worked around.

    Args:
        code: Stable, dotted: ``link.damages_long_writes``.
        text: For people: what was found and what can be done about it.
    """

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Connecting:
    """A reset or a series of SYNCs begins."""

    port: str
    strategy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A loader answered SYNC."""

    loader: str
    strategy: str
    resets: int
    syncs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipFound:
    """The chip is known."""

    chip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StubRunning:
    """The stub loader answers."""

    source: str
    uploaded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BaudrateChanged:
    """Both sides talk at a new rate."""

    baudrate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashFound:
    """The flash chip is known.

    Args:
        jedec_id: 0xMMTTCC.
        size: In bytes.
    """

    jedec_id: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionStarted:
    """A region is going to be written or read.

    Args:
        action: ``write``, ``read``, ``erase`` or ``verify``.
        offset: Where in flash, in bytes.
        size: How many bytes.
        on_wire: How many bytes will travel, where that is known and less.
        name: File name or what else the user knows the region by.
    """

    action: str
    offset: int
    size: int
    on_wire: int
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDone:
    """The loader took or delivered one more block; `done` of `size` bytes of the region at `offset`."""

    offset: int
    done: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Something went wrong and work goes on.

    Args:
        cause: Code of the error.
        text: Its message, and from where the work goes on.
        resumes_at: Flash address from which it goes on, if that is known.
    """

    cause: str
    text: str
    resumes_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """The device's MD5 of a region equals that of the image."""

    offset: int
    size: int
    md5: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionDone:
    """A region is finished; `seconds` on the port's clock."""

    action: str
    offset: int
    size: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The session is over and the port is given back.

    Args:
        reset: Whether the chip was restarted to run its firmware.
        in_loader: Whether it waits in its loader, as far as is known.
        boot: What its boot log says after the restart: ``started``, ``restarts``, ``brownout``, or the ROM's or boot loader's
            own words; empty if nothing was heard.
    """

    reset: bool
    in_loader: bool
    boot: str = ""


Event = (
    Connecting
    | Connected
    | ChipFound
    | StubRunning
    | BaudrateChanged
    | FlashFound
    | RegionStarted
    | BlockDone
    | Recovery
    | Finding
    | Verified
    | RegionDone
    | Closed
)
OnEvent = Callable[[Event], None]
"""Receives every event; called in the thread that does the work, so it should be quick."""


def ignore(event: Event) -> None:
    """Do nothing with `event`."""


_NAMES: dict[type[Event], str] = {
    Connecting: "connecting",
    Connected: "connected",
    ChipFound: "chip",
    StubRunning: "stub",
    BaudrateChanged: "baudrate",
    FlashFound: "flash",
    RegionStarted: "region",
    BlockDone: "block",
    Recovery: "recovery",
    Finding: "finding",
    Verified: "verified",
    RegionDone: "region_done",
    Closed: "closed",
}


def to_json(event: Event) -> dict[str, ContextValue]:
    """Return `event` as plain values, its kind under ``event``."""
    return {"event": _NAMES[type(event)], **asdict(event)}
