"""Frames on their way: what was sent, what arrived of it, and so what became of it.

Frames are cut from what was sent and, apart from that, from what arrived. Which of them can belong together is known from the
crossings that their bytes were part of; only within such a group is content compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum, unique

from flashcore.port import NS_PER_S
from flashcore.protocol.slip import Decoder, Frame
from simulator.record.crossings import Crossing, Way
from simulator.wire import Chunk

LATE_NS = NS_PER_S // 4
"""How long a frame may be held up, in nanoseconds, before it counts as late; longer than any adapter's latency timer."""

PAUSE_NS = NS_PER_S // 20
"""How long text may pause, in nanoseconds, and still be one text."""

TEXT_NS = NS_PER_S // 5
"""How long a text may go on, in nanoseconds, before the rest counts as another; so endless talk shows as such."""


@unique
class Fate(StrEnum):
    """What became of a frame on its way."""

    DELIVERED = "delivered"
    LATE = "late"
    DOUBLED = "doubled"
    DAMAGED = "damaged"
    LOST = "lost"
    MISHEARD = "misheard"
    """The host listened at another rate than the chip's."""
    INVENTED = "invented"
    """Nobody sent it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transit:
    """A frame, or a run of bytes that is none, on its way.

    Args:
        way: Where it goes.
        position: How many events the journal had when it set out.
        at_ns: When its first bit was sent, in nanoseconds.
        end_ns: When the last bit arrived, or was sent where nothing arrived.
        data: The packet inside the frame, or the bytes.
        is_frame: Whether it is a frame.
        fate: What became of it.
        arrived: What came of it.
        delay_ns: How long it was held up.
        line: Name of the port, where it is not the one that the run is about.
        misheard: At which rate the host listened, in baud, where that was not the chip's; else 0.
    """

    way: Way
    position: int
    at_ns: int
    end_ns: int
    data: bytes
    is_frame: bool
    fate: Fate = Fate.DELIVERED
    arrived: tuple[bytes, ...] = ()
    delay_ns: int = 0
    line: str = ""
    misheard: int = 0


@dataclass(slots=True)
class _Item:
    """A frame or a run of other bytes in one stream, with the first and the last crossing that it was part of."""

    first: int
    last: int
    at_ns: int
    end_ns: int
    data: bytes
    is_frame: bool

    @property
    def content(self) -> tuple[bytes, bool]:
        return self.data, self.is_frame


def transits(crossings: Sequence[Crossing]) -> Iterator[Transit]:
    """Yield all frames and other runs of bytes, one direction of one line after the other."""
    for way, line in sorted({(crossing.way, crossing.line) for crossing in crossings}):
        own = [crossing for crossing in crossings if (crossing.way, crossing.line) == (way, line)]
        sent = _cut((index, item.sent) for index, item in enumerate(own) if item.sent is not None)
        arrived = _cut((index, chunk) for index, item in enumerate(own) for chunk in item.arrived)
        free_ns = 0
        for group in _groups(sent, arrived):
            for before, after in _paired(*group):
                yield _transit(own, way, before, after, free_ns)
                free_ns = max([free_ns, *(item.end_ns for item in after)])


def _cut(chunks: Iterable[tuple[int, Chunk]]) -> list[_Item]:
    """Cut a stream into frames and texts."""
    decoder = Decoder()
    items: list[_Item] = []
    first, at_ns, end_ns = 0, 0, 0
    for index, chunk in chunks:
        # A packet begins with 0 or 1; it may pause, and goes on afterwards.
        is_text = decoder.pending[:1] not in (b"", b"\0", b"\1")
        if is_text and (chunk.start_ns - end_ns > PAUSE_NS or chunk.start_ns - at_ns > TEXT_NS):
            items.append(_Item(first, index - 1, at_ns, end_ns, decoder.pending, is_frame=False))
            decoder.reset()
        if not decoder.pending:
            first, at_ns = index, chunk.start_ns
        end_ns = chunk.end_ns
        for piece in decoder.feed(chunk.data):
            is_frame = isinstance(piece, Frame)
            data = piece.packet if isinstance(piece, Frame) else piece.data
            last = items[-1] if items else None
            goes_on = last is not None and at_ns - last.end_ns <= PAUSE_NS and end_ns - last.at_ns <= TEXT_NS
            if last is not None and goes_on and not (is_frame or last.is_frame):
                last.last, last.end_ns, last.data = index, end_ns, last.data + data
            else:
                items.append(_Item(first, index, at_ns, end_ns, data, is_frame))
            first, at_ns = index, chunk.start_ns
    if decoder.pending:
        items.append(_Item(first, first, at_ns, end_ns, decoder.pending, is_frame=False))
    return items


def _groups(sent: Sequence[_Item], arrived: Sequence[_Item]) -> Iterator[tuple[list[_Item], list[_Item]]]:
    """Yield what was sent and what arrived in groups that have no crossing in common."""
    entries = sorted([(item.first, 0, item) for item in sent] + [(item.first, 1, item) for item in arrived], key=_order)
    group: tuple[list[_Item], list[_Item]] = ([], [])
    reach = -1
    for first, side, item in entries:
        if first > reach and any(group):
            yield group
            group = ([], [])
        group[side].append(item)
        reach = max(reach, item.last)
    if any(group):
        yield group


def _order(entry: tuple[int, int, _Item]) -> tuple[int, int]:
    return entry[:2]


def _paired(sent: Sequence[_Item], arrived: Sequence[_Item]) -> list[tuple[_Item | None, list[_Item]]]:
    """Return each of `sent` with what came of it, and what arrived without having been sent with ``None``."""
    pairs: list[tuple[_Item | None, list[_Item]]] = []
    alike = SequenceMatcher(None, [item.content for item in sent], [item.content for item in arrived], autojunk=False)
    for _, start, end, other, other_end in alike.get_opcodes():
        before, after = sent[start:end], arrived[other:other_end]
        for index, item in enumerate(before):
            # What is more than was sent goes with the last.
            mine = after[index:] if index == len(before) - 1 else after[index : index + 1]
            pairs.append((item, list(mine)))
        if not before:
            for item in after:
                last = pairs[-1] if pairs else (None, [])
                if last[0] is not None and last[0].content == item.content:
                    last[1].append(item)
                else:
                    pairs.append((None, [item]))
    return pairs


def _transit(own: Sequence[Crossing], way: Way, before: _Item | None, after: Sequence[_Item], free_ns: int) -> Transit:
    item = before if before is not None else after[0]
    start = after[0].at_ns if after else item.at_ns
    delay_ns = max(0, start - max(item.at_ns, free_ns))
    same = [other for other in after if other.content == item.content]
    if before is None:
        fate = Fate.INVENTED
    elif not after:
        fate = Fate.LOST
    elif not same:
        fate = Fate.MISHEARD if own[item.first].misheard else Fate.DAMAGED
    elif len(after) > 1:
        fate = Fate.DOUBLED
    else:
        fate = Fate.LATE if delay_ns > LATE_NS else Fate.DELIVERED
    return Transit(
        way=way,
        position=own[item.first].position,
        at_ns=item.at_ns,
        end_ns=max([item.end_ns, *(other.end_ns for other in after)]),
        data=item.data,
        is_frame=item.is_frame,
        fate=fate,
        arrived=tuple(other.data for other in after),
        delay_ns=delay_ns,
        line=own[item.first].line,
        misheard=own[item.first].misheard,
    )
