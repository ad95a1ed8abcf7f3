"""The ladder of a run: frames in both directions in words, line edges, resets and faults, in the order in which they happened.

It is made from the crossings of a recorder and the events of the journal. Frames are cut from what was sent and, apart from
that, from what arrived; which of them belong together is known from the crossings that their bytes were part of. So a frame
is delivered, late, damaged, doubled or lost, and nothing of that is guessed from its content.
"""

from __future__ import annotations

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
        fault: The fault that did it, where the fate is one.
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
        return self.kind is Kind.FAULT or self.fate is not Fate.DELIVERED

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


def ladder(events: Sequence[Event], crossings: Sequence[Crossing]) -> list[Step]:
    """Return the whole ladder of a run.

    Args:
        events: The journal's events.
        crossings: What crossed, from a recorder or of a transcript.
    """
    found = [(position, _of_event(event, _KINDS[event.kind])) for position, event in enumerate(events) if event.kind in _KINDS]
    readers: dict[str, Reader] = {}
    resets = [position for position, event in enumerate(events) if event.kind == "chip" and event.content.startswith(b"reset")]
    for transit in sorted(transits(crossings), key=lambda item: (item.position, item.at_ns)):
        while resets and resets[0] < transit.position:
            del resets[0]
            for reader in readers.values():
                reader.reset()
        found.append((transit.position, _of_transit(transit, readers.setdefault(transit.line, Reader()))))
    # A journal's position is that of the next event, so at equal positions the bytes came first.
    found.sort(key=lambda entry: (entry[0], entry[1].kind not in _WAYS))
    return list(_merged(_blamed(found)))


def _blamed(found: Iterable[tuple[int, Step]]) -> Iterator[Step]:
    """Yield the steps in `found`, which come with their positions; a fault that struck a frame is told by the frame's step."""
    struck: list[Step] = []
    expected = -1
    for position, step in found:
        if step.kind is Kind.FAULT and struck and position == expected:
            name = step.title.partition(" struck ")[0]
            struck = [item if item.fate is Fate.DELIVERED else replace(item, fault=item.fault or name) for item in struck]
            expected += 1
            if any(item.fault for item in struck):
                continue
        if step.kind in _WAYS and position == expected:
            struck.append(step)
            continue
        yield from struck
        struck, expected = ([step], position) if step.kind in _WAYS else ([], -1)
        if step.kind not in _WAYS:
            yield step
    yield from struck


def _of_event(event: Event, kind: Kind) -> Step:
    text = event.content.decode("utf-8", "replace")
    match kind:
        case Kind.LINES:
            title = ", ".join(_level(word) for word in text.split())
        case Kind.BAUD:
            title = f"{text} baud"
        case Kind.PORT:
            title = _PORT_WORDS.get(event.kind) or f"USB device {text}"
        case _:
            title = text
    return Step(at_ns=event.at_ns, end_ns=event.at_ns, kind=kind, title=title)


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
        case Fate.DAMAGED if transit.misheard:
            details.append(f"heard at {transit.misheard} baud, which is not the chip's rate")
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
        if last is not None and replace(step, at_ns=last.at_ns, end_ns=last.end_ns, count=last.count) == last:
            last = replace(last, end_ns=max(last.end_ns, step.end_ns), count=last.count + 1)
            continue
        if last is not None:
            yield last
        last = step
    if last is not None:
        yield last
