"""The loaders as targets: a recorded beginning, then mutations of recorded sessions, then a reset and a recorded session.

A beginning must be answered as recorded, also when what follows is said at once, behind a command that nothing can call back.
After the reset the chip must answer as recorded again, whatever was done to it. In between it may do what it likes, in frames,
within the bounds of `fuzz.bounds`. Answers are compared with the recordings, never with the model's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from zlib import crc32

from flashcore.protocol.packet import HEADER, RESPONSE
from fuzz import mutator
from fuzz.bounds import MAX_FOOTPRINT, BrokenError, BudgetKernel, check_footprint, frames
from fuzz.corpus import SYNC_ANSWER, Corpus, Exchange, Recording, rom_corpus, stub_corpus
from fuzz.mutator import SYNC, Write, Writes
from fuzz.target import Outcome
from simulator.chip.boot import first_program
from simulator.chip.config import ORACLE, ChipConfig
from simulator.chip.soc import Soc
from simulator.kernel import MS, S
from simulator.rng import Dice, Rng
from simulator.wire import Chunk, as_received, byte_time
from tests.conformance.arms import LINE_BAUD, ModelArm
from tests.conformance.stub_arm import StubArm

RATES = (0, 0, 0, 0, 0, 0, 9600, 115200, 921600)
"""Rates at which mutated input arrives, in baud; 0 is whatever the chip listens to."""

RESTS_NS = (400 * MS, 400 * MS, 400 * MS, 5 * S)
"""How long the chip is left alone behind an input, in nanoseconds."""

FLOOD_ONE_IN = 64
"""Of how many inputs one goes on and on."""

WEIGH_EVERY = 10
"""After how many writes the buffers are counted, where they are."""

MAX_OUTPUT = 9_000_000
"""Bytes that a chip may send for one input: all of its flash with each byte escaped, and a little more."""

SLOW_FLASH = "W25Q32JV"
"""A flash part that takes its time; the recorded one takes none."""


class FuzzedSoc(Soc):
    """A chip whose line noise belongs to the input, not to the chip's life."""

    noise: Dice | None = None

    def heard(self, chunk: Chunk) -> bytes:
        if self.noise is None:
            self.noise = Dice(0, "fuzz")
        return as_received(chunk, self.uart.baud, self.noise)


class _Reused(ModelArm):
    """An arm that keeps its chip as long as nothing has left traces in it."""

    kernel: BudgetKernel
    soc: FuzzedSoc
    as_new = True
    """Whether a reset forgets all that happened, or is one by the EN pin."""

    def reset(self, *, strap: int = 0x03, efuse_name: str | None = None, flash: bytes | None = None) -> None:
        self.soc.set_enabled(False)
        if self.as_new:
            self.kernel.restart()
            if self.is_touched:
                self.soc = self._fresh(strap)
            self.soc.flash.power_cycle()
            self.soc.noise = None
        else:
            self.kernel.advance(self.kernel.now + MS)
        self._received.clear()
        self.soc.set_enabled(True)
        self.listen()

    @property
    def is_touched(self) -> bool:
        """Whether flash or eFuses were written."""
        return bool(self.soc.flash.operations or self.soc.efuse.burns)

    @abstractmethod
    def begin(self) -> None:
        """Reset the chip, and wait until its loader runs."""

    @abstractmethod
    def ask(self, exchange: Exchange) -> bytes:
        """Say what was recorded, and return what comes back until there is silence."""

    def say(self, data: bytes, baud: int) -> None:
        """Put bytes on the line from now on at `baud`, or at the chip's own rate for 0, and wait until they have arrived."""
        kernel, soc = self.kernel, self.soc
        line = Chunk(data, kernel.now, byte_time(baud or LINE_BAUD), baud or soc.uart.baud)
        for piece in line.pieces():
            kernel.at(piece.end_ns, lambda piece=piece: soc.receive(piece))  # type: ignore[misc]
        kernel.advance(line.end_ns)

    def take(self) -> bytes:
        """Return what has been sent since."""
        heard = b"".join(chunk.data for chunk in self._received)
        self._received.clear()
        return heard

    def _fresh(self, strap: int) -> FuzzedSoc:
        self._received.clear()
        self.kernel = BudgetKernel()
        return FuzzedSoc(
            self.config,
            self.kernel,
            Rng(0),
            start=first_program,
            transmit=self._received.append,
            straps=lambda: strap,
            note=lambda _kind, _text: None,
        )


class _RomArm(_Reused):
    def begin(self) -> None:
        self.reset()

    def ask(self, exchange: Exchange) -> bytes:
        return self.exchange(exchange.writes, gap_ms=exchange.gap_ns // MS)


class _StubLoaderArm(_Reused, StubArm):
    def __init__(self, file: str, *, slow: bool) -> None:
        self._slow = slow
        super().__init__(file)

    def _fresh(self, strap: int) -> FuzzedSoc:
        if self._slow:
            self.config = replace(self.config, flash=SLOW_FLASH)
        return super()._fresh(strap)

    def begin(self) -> None:
        self.start_stub()

    def ask(self, exchange: Exchange) -> bytes:
        gap_ms, expected = exchange.gap_ns // MS, len(exchange.answer)
        return self.play(list(exchange.writes), gap_ms=gap_ms, expected=expected, slow=False)


class _LoaderTarget(ABC):
    """One loader on one chip.

    Args:
        arm: The chip.
        corpus: Recordings.
    """

    beginnings: Sequence[Recording]
    """What an input may begin with."""
    endings: Sequence[Recording]
    """What is asked after the reset, if flash and eFuses are untouched."""
    pause_ns = 0
    """Pause behind a command after which nothing that is said can touch its answer."""

    def __init__(self, arm: _Reused, corpus: Corpus) -> None:
        self._arm = arm
        self._corpus = corpus
        self.beginnings = self.endings = corpus.short
        self._compared = self._weight = 0
        self.story: list[tuple[str, bytes]] = []
        """What was said, and how."""

    def run(self, dice: Random, *, weigh: bool) -> Outcome:
        """Play one input."""
        arm = self._arm
        self._compared = self._weight = 0
        self.story = []
        arm.as_new = True
        arm.begin()
        recording = dice.choice(self.beginnings)
        kept = dice.randint(0, len(recording.exchanges))
        beginning, rest = recording.exchanges[:kept], recording.exchanges[kept:]
        hurried = None
        if beginning and self.is_final(beginning[-1]) and dice.random() < 0.5:
            beginning, hurried = beginning[:-1], beginning[-1]
        for exchange in beginning:
            self._compare(recording, exchange)
        writes = self._material(dice, rest)
        if not dice.randrange(FLOOD_ONE_IN):
            writes += mutator.flood(dice)
            weigh = True
        heard = self._mutated(dice, hurried, writes, weigh=weigh)
        if hurried is not None:
            self._compared += 1
            if not heard.startswith(hurried.answer):
                raise _contradiction(recording, hurried, heard, "whatever is said behind a command, its answer")
        queue = arm.kernel.longest
        self._end(dice)
        return Outcome(mark=crc32(heard), footprint=self._weight, queue=queue, compared=self._compared)

    def is_final(self, exchange: Exchange) -> bool:
        """Return whether what is said behind an exchange can have no influence on its answer."""
        sent = exchange.sent
        return bool(exchange.answer) and len(exchange.writes) == 1 and sent.count(b"\xc0") == 2 and sent[0] == sent[-1] == 0xC0

    @abstractmethod
    def check(self, heard: bytes) -> None:
        """Check what a loader said that still runs."""

    def _material(self, dice: Random, rest: Sequence[Exchange]) -> Writes:
        donor = [part for one in dice.choice(self._corpus.all).exchanges for part in one.writes]
        writes = [Write(part) for one in rest for part in one.writes]
        if not writes:
            writes = [Write(part) for one in dice.choice(self._corpus.all).exchanges for part in one.writes]
        return mutator.mutate(dice, mutator.SLIP, writes, donor)

    def _mutated(self, dice: Random, hurried: Exchange | None, writes: Writes, *, weigh: bool) -> bytes:
        arm = self._arm
        soc, program, boots = arm.soc, arm.soc.program, arm.soc.boots
        longest = max((len(write.data) for write in writes), default=0)
        baud = dice.choice(RATES) if longest < mutator.LONGEST else 0
        # At a rate that it does not listen to, the chip hears up to four bytes for each one, all of a write together.
        limit = MAX_FOOTPRINT + 4 * longest
        if hurried is not None:
            self.story.append(("say", hurried.sent))
            arm.say(hurried.sent, 0)
            arm.kernel.advance(arm.kernel.now + self.pause_ns)
        for number, write in enumerate(writes):
            if write.gap_ns:
                arm.kernel.advance(arm.kernel.now + write.gap_ns)
            if write.data:
                self.story.append((f"after {write.gap_ns} ns say at {baud or 'its rate'}", write.data))
                arm.say(write.data, baud)
            if weigh and (number == len(writes) - 1 or number % WEIGH_EVERY == WEIGH_EVERY - 1):
                self._weight = max(self._weight, check_footprint(soc, arm.kernel, limit=limit))
        arm.kernel.advance(arm.kernel.now + dice.choice(RESTS_NS))
        heard = arm.take()
        if len(heard) > MAX_OUTPUT:
            raise BrokenError(f"at most {MAX_OUTPUT} bytes are answered", f"{len(heard)} bytes")
        if soc.program is program and soc.boots == boots:
            self.check(heard)
        return heard

    def _end(self, dice: Random) -> None:
        arm = self._arm
        endings = self._corpus.anywhere if arm.is_touched else self.endings
        if arm.soc.efuse.burns:
            # What has been burnt stays: the chip may even refuse download mode from now on.
            return
        arm.as_new = False
        self.story.append(("reset", b""))
        arm.begin()
        recording = dice.choice(endings)
        for exchange in recording.exchanges:
            self._compare(recording, exchange)

    def _compare(self, recording: Recording, exchange: Exchange) -> None:
        self.story.append(("ask", exchange.sent))
        heard = self._arm.ask(exchange)
        self._compared += 1
        if heard != exchange.answer:
            raise _contradiction(recording, exchange, heard, "the answer")


def _contradiction(recording: Recording, exchange: Exchange, heard: bytes, what: str) -> BrokenError:
    claim = f"{what} is the recorded one: {recording.file} {recording.name}, {_hex(exchange.sent)} -> {_hex(exchange.answer)}"
    return BrokenError(claim, _hex(heard))


def _hex(data: bytes) -> str:
    return data[:200].hex() + (f"... ({len(data)} bytes)" if len(data) > 200 else "")


class RomTarget(_LoaderTarget):
    """The ROM's loader under the conditions of the recording."""

    def __init__(self) -> None:
        super().__init__(_RomArm(ORACLE), rom_corpus())

    def check(self, heard: bytes) -> None:
        for packet in frames(heard, complete=True):
            if packet and (len(packet) < HEADER.size or packet[0] != RESPONSE or packet[2] | packet[3] << 8 != len(packet) - 8):
                raise BrokenError("the ROM answers with responses whose size is their body's", packet[:80].hex())


class SiliconRomTarget(RomTarget):
    """The ROM's loader as on silicon: the first SYNC is spent on the baud rate, and the flash takes its time."""

    def __init__(self) -> None:
        _LoaderTarget.__init__(self, _RomArm(ChipConfig(flash=SLOW_FLASH)), rom_corpus())
        lost = Exchange(writes=(SYNC,), gap_ns=0, answer=b"")
        answered = Exchange(writes=(SYNC,), gap_ns=0, answer=SYNC_ANSWER)
        twice = Recording(file="rom_sync", name="sync behind a lost one", exchanges=(lost, answered), exact=True)
        self.beginnings = self.endings = [twice]
        self._corpus = replace(self._corpus, anywhere=[twice])


class StubTarget(_LoaderTarget):
    """A stub.

    Args:
        file: Vector file it was recorded in.
        slow: Whether its flash takes its time.
    """

    pause_ns = 2 * MS

    def __init__(self, file: str, *, slow: bool) -> None:
        corpus = stub_corpus(file)
        super().__init__(_StubLoaderArm(file, slow=slow), corpus)
        if slow:
            self.beginnings = self.endings = corpus.anywhere

    def is_final(self, exchange: Exchange) -> bool:
        return super().is_final(exchange) and exchange.sent[2:3] != b"\xd2"

    def check(self, heard: bytes) -> None:
        frames(heard, complete=False)
