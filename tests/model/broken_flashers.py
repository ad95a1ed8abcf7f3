"""Flashers that do wrong on purpose, each in one way, for verdicts that must not be fooled.

They work through the ROM loader, by hand and without looking back: whatever they do right beyond that is flashcore's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from flashcore.errors import DeadlineExceededError, FlashcoreError, VerifyError
from flashcore.image import Region
from flashcore.loader import Event, Flasher, Options
from flashcore.loader.progress import BlockDone
from flashcore.port import NS_PER_S
from flashcore.protocol import commands
from flashcore.protocol.opcodes import Opcode
from flashcore.protocol.packet import data_request
from simulator.flashers.abilities import Abilities, Link
from simulator.flashers.adapter import Result
from simulator.flashers.in_process import Session, run_session
from simulator.flashers.task import Job, Task
from simulator.links.virtual import VirtualPort

Say = Callable[[str], None]
ROM = Options(use_stub=False)
BLOCK = 1024
ANYTHING = Abilities(link=Link.PROCESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """An adapter for one of the functions below."""

    session: Session
    name: str = "broken"
    version: str = "0"
    shard: int = 8
    abilities: Abilities = ANYTHING

    def run(self, tasks: Sequence[Task]) -> Iterator[Result]:
        for task in tasks:
            yield run_session(task, self.session)


def by_hand(flasher: Flasher, offset: int, data: bytes, *, leave_out: int | None = None) -> None:
    """Write `data` block by block, without a digest at the end."""
    assert flasher.flash_size
    session = flasher._target.session
    count = -(-len(data) // BLOCK)
    session.command(commands.flash_begin(len(data), count, BLOCK, offset), 30)
    for number in range(count):
        if number != leave_out:
            block = data[number * BLOCK : (number + 1) * BLOCK].ljust(BLOCK, b"\xff")
            session.command(data_request(Opcode.FLASH_DATA, block, number), 5)


def honest(port: VirtualPort, job: Job, say: Say) -> None:
    with Flasher.open(port, ROM) as flasher:
        flasher.write([Region(offset=image.offset, data=image.data()) for image in job.images])


def claims_success_early(port: VirtualPort, job: Job, say: Say) -> None:
    with Flasher.open(port, ROM):
        say("Hash of data verified.")


def claims_success_without_a_look(port: VirtualPort, job: Job, say: Say) -> None:
    say("Hash of data verified.")


def skips_a_block(port: VirtualPort, job: Job, say: Say) -> None:
    with Flasher.open(port, ROM) as flasher:
        for image in job.images:
            data = image.data()
            flasher.write([Region(offset=image.offset, data=data[:4096] + b"\xff" * 4096 + data[8192:])])


def ignores_md5(port: VirtualPort, job: Job, say: Say) -> None:
    with Flasher.open(port, ROM) as flasher:
        for image in job.images:
            by_hand(flasher, image.offset, image.data())


def hangs(port: VirtualPort, job: Job, say: Say) -> None:
    with Flasher.open(port, ROM):
        while not port.read(1, port.clock.now_ns() + 3 * NS_PER_S):
            pass


def waits_without_end(port: VirtualPort, job: Job, say: Say) -> None:
    with Flasher.open(port, ROM):
        port.read(1, 1 << 62)


def dawdles(port: VirtualPort, job: Job, say: Say) -> None:
    honest(port, job, say)
    port.clock.sleep_until(port.clock.now_ns() + 400 * NS_PER_S)


def misdiagnoses(port: VirtualPort, job: Job, say: Say) -> None:
    try:
        honest(port, job, say)
    except FlashcoreError as error:
        raise VerifyError("the flash chip is worn out", offset=0, size=1, expected="00", actual="ff") from error


def crashes(port: VirtualPort, job: Job, say: Say) -> None:
    with Flasher.open(port, ROM):
        _ = job.images[len(job.images)]


def writes_at_the_wrong_offset(port: VirtualPort, job: Job, say: Say) -> None:
    with Flasher.open(port, ROM) as flasher:
        flasher.write([Region(offset=image.offset + 0x10000, data=image.data()) for image in job.images])


def writes_at_the_wrong_offset_too(port: VirtualPort, job: Job, say: Say) -> None:
    with Flasher.open(port, ROM) as flasher:
        for image in job.images:
            flasher.write([Region(offset=offset, data=image.data()) for offset in (image.offset, image.offset + 0x10000)])


def is_interrupted(port: VirtualPort, job: Job, say: Say) -> None:
    def on_event(event: Event) -> None:
        if isinstance(event, BlockDone):
            raise KeyboardInterrupt

    with Flasher.open(port, ROM, on_event) as flasher:
        flasher.write([Region(offset=image.offset, data=image.data()) for image in job.images])


def burns_a_fuse(port: VirtualPort, job: Job, say: Say) -> None:
    """Switch download mode off for good, as some provisioning does by mistake, and then fail."""
    with Flasher.open(port, ROM) as flasher:
        loader = flasher._target.loader
        loader.write_reg(0x3FF5A01C, 1 << 27)
        loader.write_reg(0x3FF5A0FC, 0x5A5A)
        loader.write_reg(0x3FF5A104, 2)
        port.clock.sleep_until(port.clock.now_ns() + NS_PER_S)
        raise DeadlineExceededError("no answer")


def leaves_the_port_open_in_reset(port: VirtualPort, job: Job, say: Say) -> None:
    port.set_lines(dtr=False, rts=True)
    raise DeadlineExceededError("no answer")
