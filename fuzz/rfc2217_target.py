"""RFC 2217 as a target, without a network: what a client's bytes make of the port, and what it hears.

The socket is replaced by an object that takes bytes as the dice say: all, some, or none for a while. What reaches the port is
compared with a second reading of telnet. After any input the client goes, and the next must find the port as RFC 2217 has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import cast
from zlib import crc32

from fuzz import mutator
from fuzz.bounds import BrokenError, BudgetKernel, check_footprint
from fuzz.link_corpus import GREETING, OPTION_START, TELNET, TELNET_SPECIAL, Telnet, option, telnet_parts
from fuzz.mutator import Write, Writes
from fuzz.target import Outcome
from simulator.board.board import Device, HostBaud, HostBytes, HostClose, HostEvent, HostLines, HostOpen
from simulator.kernel import S
from simulator.links.line_modes import LineMode
from simulator.links.rfc2217 import Rfc2217Link
from simulator.links.seat import Seat

READS = 16384
"""Bytes that a link reads at once."""


FLOOD = 8_000
"""Bytes of an option that does not end."""

FLOOD_ONE_IN = 128

MAX_FOOTPRINT = 2_000
"""Bytes that a session may keep when its client has read all."""

STARTS = (0, 10, 17, 17)
"""Where the recorded session may be entered."""


class _Port:
    """The device of a link, which only remembers."""

    def __init__(self) -> None:
        self.kernel = BudgetKernel()
        self.events: list[HostEvent] = []

    def submit(self, event: HostEvent) -> int:
        self.events.append(event)
        return self.kernel.now


class _Seat:
    """A seat without a network: what the client says is put into it, what it hears is found in it."""

    descriptor = None
    doorbell = -1

    def __init__(self) -> None:
        self.said: list[HostEvent] = []
        self.heard = bytearray()
        self.room = 0

    def poll(self, *, take_bytes: bool) -> list[HostEvent]:
        found: list[HostEvent] = []
        while self.said and (take_bytes or not isinstance(self.said[0], HostBytes)):
            found.append(self.said.pop(0))
        return found

    def send(self, data: bytes) -> int:
        taken = data[: self.room]
        self.heard += taken
        self.room -= len(taken)
        return len(taken)


def new_option(dice: Random, writes: Writes, donor: Sequence[bytes]) -> None:
    """Ask for something that was never recorded: any COM port option with any value."""
    value = dice.choice((b"", bytes((dice.randrange(24),)), bytes(4), dice.randbytes(4), b"\xff" * 4, dice.randbytes(80)))
    writes.insert(dice.randint(0, len(writes)), Write(option(dice.randrange(14), value), dice.choice(mutator.GAPS_NS)))


class Rfc2217Target:
    """A serial port over telnet."""

    MUTATIONS = (*mutator.ANYWHERE, *[mutator.sprinkler(TELNET_SPECIAL)] * 2, *[new_option] * 3)

    def __init__(self) -> None:
        self._port = _Port()
        self._links: dict[LineMode, Rfc2217Link] = {}
        for mode in LineMode:
            link = self._links[mode] = Rfc2217Link(cast(Device, self._port), lines=mode)
            link.close()
        self.story: list[tuple[str, bytes]] = []
        """What was said."""
        self._weight = 0

    def run(self, dice: Random, *, weigh: bool) -> Outcome:
        """Play one input."""
        self._port.kernel.restart()
        self._port.events.clear()
        link = self._links[dice.choice((LineMode.LITERAL, LineMode.REPLAY))]
        seat = _Seat()
        link.seat = cast(Seat, seat)
        seat.said.append(HostOpen())
        kept = dice.randint(0, len(TELNET))
        clean = [step.said for step in TELNET[:kept]]
        rest = [Write(step.said) for step in TELNET[kept:]] or [Write(dice.choice(TELNET).said)]
        donor = [step.said for step in dice.sample(TELNET, 4)]
        writes = [Write(said) for said in clean] + mutator.mutate(dice, self.MUTATIONS, rest, donor)
        if not dice.randrange(FLOOD_ONE_IN):
            writes.append(Write(OPTION_START + b"\x01" * FLOOD))
            weigh = True
        self.story = [("say", write.data) for write in writes]
        given, events = self._play(dice, link, seat, writes, weigh=weigh)
        stream = b"".join(write.data for write in writes)
        self._check(seat, stream, given, events)
        steps = TELNET[dice.choice(STARTS) :]
        _play_recorded(self._links[LineMode.LITERAL], steps)
        return Outcome(
            mark=crc32(bytes(seat.heard)), footprint=self._weight, queue=self._port.kernel.longest, compared=len(steps)
        )

    def _play(
        self, dice: Random, link: Rfc2217Link, seat: _Seat, writes: Writes, *, weigh: bool
    ) -> tuple[bytes, list[HostEvent]]:
        """Let the client say `writes` and the device say something now and then, and the client go."""
        events: list[HostEvent] = []
        given: list[bytes] = []
        kernel = self._port.kernel
        for write in writes:
            seat.said += [HostBytes(write.data[at : at + READS]) for at in range(0, len(write.data), READS)]
            seat.room += dice.choice((0, 1, 7, 1 << 20))
            kernel.advance(kernel.now + write.gap_ns)
            events += link.poll(take_bytes=dice.random() < 0.8)
            if dice.random() < 0.3:
                data = dice.choice((b"\xff", b"\xc0\xff\xff\xc0", dice.randbytes(40)))
                given.append(data[: link.send(data)])
        seat.room = 1 << 24
        for _ in range(2):
            events += link.poll(take_bytes=True)
        if link.pending:
            raise BrokenError("a client that reads gets all that waits for it", f"{link.pending} bytes are kept")
        self._weight = check_footprint(link, kernel, limit=MAX_FOOTPRINT) if weigh else 0
        seat.said.append(HostClose())
        events += link.poll(take_bytes=True)
        kernel.advance(kernel.now + S)
        return b"".join(given), events

    def _check(self, seat: _Seat, stream: bytes, given: bytes, events: Sequence[HostEvent]) -> None:
        meant, _ = telnet_parts(stream)
        passed = b"".join(event.data for event in events if isinstance(event, HostBytes))
        if passed != meant:
            raise BrokenError(f"the port gets what telnet means: {meant[:200].hex()}", passed[:200].hex())
        heard, options = telnet_parts(bytes(seat.heard))
        if heard != given:
            raise BrokenError(f"the client gets what the device said: {given[:200].hex()}", heard[:200].hex())
        for answer in options:
            if answer[:1] != b"\x2c" or len(answer) < 2 or answer[1] < 100:
                raise BrokenError("a server's options are answers", answer.hex())
        if len(seat.heard) > 2 * len(given) + 8 * len(stream) + 64:
            raise BrokenError("answers are not much longer than what they answer", f"{len(seat.heard)} for {len(stream)} bytes")
        lines = [event for event in [*events, *self._port.events] if isinstance(event, HostLines)]
        if lines and lines[-1] != HostLines(False, False):
            raise BrokenError("a client that has gone leaves both lines released", str(lines[-1]))
        if events[0] != HostOpen() or events[-1] != HostClose():
            raise BrokenError("a session opens the port first and closes it last", f"{events[0]}, {events[-1]}")


def _play_recorded(link: Rfc2217Link, steps: Sequence[Telnet]) -> None:
    """Play a clean session and compare all that comes of it."""
    seat = _Seat()
    seat.room = 1 << 20
    link.seat = cast(Seat, seat)
    seat.said.append(HostOpen())
    _compare("open", link.poll(take_bytes=True), [HostOpen(), HostBaud(115200)])
    _compare("greeting", bytes(seat.heard), GREETING)
    for step in steps:
        seat.heard.clear()
        seat.said.append(HostBytes(step.said))
        _compare(f"events of {step.said.hex()}", link.poll(take_bytes=True), list(step.events))
        _compare(f"answer to {step.said.hex()}", bytes(seat.heard), step.heard)
    seat.said.append(HostClose())
    asserted = any(isinstance(event, HostLines) for step in steps for event in step.events)
    _compare("close", link.poll(take_bytes=True), [*([HostLines(False, False)] if asserted else []), HostClose()])


def _compare(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise BrokenError(f"{what}: {expected!r}", repr(found))
