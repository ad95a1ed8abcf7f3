"""The ladder of a run: frames in both directions in words, line edges, resets and faults, in the order in which they happened.

It is made from the crossings of a recorder and the events of the journal. Frames are cut from what was sent and, apart from
that, from what arrived; which of them belong together is known from the crossings that their bytes were part of. So a frame
is delivered, late, damaged, doubled or lost, and nothing of that is guessed from its content.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum, unique

from flashcore.port import NS_PER_S
from simulator.record.crossings import Crossing, Way
from simulator.record.events import Event
from simulator.record.frame_text import Reader, loose
from simulator.record.transits import Fate, Transit, transits


@unique
class Kind(StrEnum):
    """What a step is."""

    TO_CHIP = "h2d"
    TO_HOST = "d2h"
    LINES = "lines"
    BAUD = "baud"
    PORT = "port"
    CHIP = "chip"
    FAULT = "fault"
    GAP = "gap"
    SKIPPED = "skipped"
    """Steps that an excerpt leaves out."""


_PORT_WORDS = {"open": "port opened", "close": "port closed", "unplug": "unplugged"}
_WAYS = (Kind.TO_CHIP, Kind.TO_HOST)

_KINDS = {
    "lines": Kind.LINES,
    "baud": Kind.BAUD,
    "open": Kind.PORT,
    "close": Kind.PORT,
    "unplug": Kind.PORT,
    "usb": Kind.PORT,
    "chip": Kind.CHIP,
    "boot": Kind.CHIP,
    "fault": Kind.FAULT,
    "gap": Kind.GAP,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One rung of a ladder.

    Args:
        at_ns: When it began, in nanoseconds of the run.
        end_ns: When its last bit arrived, or should have.
        kind: What it is.
        title: What it is, in words.
        detail: What there is to say about it; may be empty.
        size: Bytes on the wire.
        fate: What became of it on its way.
        fault: The fault that struck it, or that speaks in it.
        refused: Whether it is an answer that says no.
        count: How many equal steps in a row it stands for.
    """

    at_ns: int
    end_ns: int
    kind: Kind
    title: str
    detail: str = ""
    size: int = 0
    fate: Fate = Fate.DELIVERED
    fault: str = ""
    refused: bool = False
    count: int = 1

    @property
    def strikes(self) -> bool:
        """Whether a fault shows here."""
        return self.kind is Kind.FAULT or bool(self.fault) or self.fate not in (Fate.DELIVERED, Fate.MISHEARD)

    def to_fields(self) -> dict[str, object]:
        """Return the step as JSON has it, without what is as usual."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) != field.default}

    @classmethod
    def from_fields(cls, raw: Mapping[str, object]) -> Step:
        """Return the step with these fields, as JSON has them.

        Raises:
            ValueError: They are not those of a step.
        """
        try:
            known = {**raw, "kind": Kind(str(raw["kind"])), "fate": Fate(str(raw.get("fate", Fate.DELIVERED)))}
            return cls(**known)  # type: ignore[arg-type]
        except (KeyError, TypeError) as error:
            raise ValueError(f"these are not the fields of a step: {error}") from error


def ladder(events: Sequence[Event], crossings: Sequence[Crossing], lines: Mapping[int, str] | None = None) -> list[Step]:
    """Return the whole ladder of a run.

    Args:
        events: The journal's events.
        crossings: What crossed, from a recorder.
        lines: Of events that are not of the line that the run is about: the name of their port, by their positions.
    """
    lines = lines or {}
    # A board at a port that nobody opened has its own life, which is no part of the story.
    opened = {line for position, line in lines.items() if events[position].kind == "open"}
    told = [
        position for position, event in enumerate(events) if event.kind in _KINDS and lines.get(position, "") in {"", *opened}
    ]
    found = [
        (rank, _of_event(events[position], _KINDS[events[position].kind], lines.get(position, "")))
        for rank, position in enumerate(told)
    ]
    readers: dict[str, Reader] = {}
    for transit in sorted(transits(crossings), key=lambda item: (item.position, item.at_ns)):
        reader = readers.setdefault(transit.line, Reader())
        found.append((bisect_left(told, transit.position), _of_transit(transit, reader)))
    # A transit has the rank of the event that follows it.
    found.sort(key=lambda entry: (entry[0], entry[1].kind not in _WAYS))
    return list(_merged(_blamed(found)))


def _blamed(found: Iterable[tuple[int, Step]]) -> Iterator[Step]:
    """Yield the steps in `found`, which come with their ranks; a fault that struck a frame is told by the frame's step."""
    struck: list[Step] = []
    expected = -1
    for rank, step in found:
        if step.kind is Kind.FAULT and struck and rank == expected:
            struck, is_told = _with_fault(struck, step)
            expected += 1
            if is_told:
                continue
        if step.kind in _WAYS and rank == expected:
            struck.append(step)
            continue
        yield from struck
        struck, expected = ([step], rank) if step.kind in _WAYS else ([], -1)
        if step.kind not in _WAYS:
            yield step
    yield from struck


def _with_fault(struck: Sequence[Step], fault: Step) -> tuple[list[Step], bool]:
    """Return the steps with the fault's name where it shows, and whether it shows anywhere."""
    says = fault.detail.startswith("said ")
    way = Kind.TO_HOST if fault.title.startswith(("d2h", "chip_to_bridge", "bridge_to_host")) else Kind.TO_CHIP
    result = []
    for step in struck:
        if says and step.kind is way and step.fate is Fate.DELIVERED:
            # It mixes with what the chip says, so the text as a whole need not be the fault's.
            result.append(replace(step, fault=fault.title))
        elif step.fate in (Fate.DELIVERED, Fate.MISHEARD):
            result.append(step)
        else:
            result.append(replace(step, fault=step.fault or fault.title))
    return result, any(step.fault for step in result)


def _of_event(event: Event, kind: Kind, line: str) -> Step:
    text = event.content.decode("utf-8", "replace")
    detail = ""
    match kind:
        case Kind.LINES:
            title = ", ".join(_level(word) for word in text.split())
        case Kind.BAUD:
            title = f"{text} baud"
        case Kind.PORT:
            title = _PORT_WORDS.get(event.kind) or f"USB device {text}"
        case Kind.FAULT:
            title, _, detail = text.partition(" ")
            detail = detail.removeprefix("struck ")
        case _:
            title = text
    title = f"{line}: {title}" if line else title
    return Step(at_ns=event.at_ns, end_ns=event.at_ns, kind=kind, title=title, detail=detail)


def _level(word: str) -> str:
    name, _, level = word.partition("=")
    return f"{name.upper()} {'asserted' if level == '1' else 'released'}" if level in ("0", "1") else word


def _of_transit(transit: Transit, reader: Reader) -> Step:
    is_request = transit.way is Way.TO_CHIP
    words = loose(transit.data)
    if transit.is_frame:
        words = reader.request(transit.data) if is_request else reader.answer(transit.data)
    details = [words.detail] if words.detail else []
    match transit.fate:
        case Fate.LATE:
            details.append(f"{transit.delay_ns / NS_PER_S:.1f} s late")
        case Fate.MISHEARD:
            details.append(f"the host listens at {transit.misheard} baud")
        case Fate.DAMAGED:
            details.append("arrives as " + ", ".join(_damaged(data, transit.data) for data in transit.arrived))
        case _:
            pass
    return Step(
        at_ns=transit.at_ns,
        end_ns=transit.end_ns,
        kind=Kind.TO_CHIP if is_request else Kind.TO_HOST,
        title=f"{transit.line}: {words.title}" if transit.line else words.title,
        detail="; ".join(details),
        size=len(transit.data),
        fate=transit.fate,
        refused=words.refused,
    )


def _damaged(data: bytes, sent: bytes) -> str:
    """Return how `data` differs from `sent`."""
    if len(data) != len(sent):
        return f"{len(data)} bytes of {len(sent)}"
    wrong = int.from_bytes(data, "little") ^ int.from_bytes(sent, "little")
    first = (wrong & -wrong).bit_length() - 1 >> 3
    count = wrong.bit_count()
    return f"{count} bit{'s' if count > 1 else ''} flipped, the first in byte {first}"


def _merged(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield `steps` with equal ones in a row as one."""
    last: Step | None = None
    for step in steps:
        if last is not None and _alike(last, step):
            last = replace(last, end_ns=max(last.end_ns, step.end_ns), count=last.count + 1)
            continue
        if last is not None:
            yield last
        last = step
    if last is not None:
        yield last


def _alike(one: Step, other: Step) -> bool:
    # What a fault struck differs from time to time; the first is told.
    detail = one.detail if other.kind is Kind.FAULT else other.detail
    return replace(other, at_ns=one.at_ns, end_ns=one.end_ns, count=one.count, detail=detail) == one
