"""Jobs beyond writing, and when they are done: judged from the world, against flashers that only say so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flashcore.errors import DeadlineExceededError, WrongOffsetError
from flashcore.image import Region
from flashcore.loader import After, Flasher, Options
from simulator.board.board import HostLines
from simulator.campaign import Judgement, Verdict, judge
from simulator.campaign.case import CLEAN, Case
from simulator.flashers.adapter import Result
from simulator.flashers.evidence import _held
from simulator.flashers.flashcore import FlashcoreAdapter
from simulator.flashers.images import Image
from simulator.flashers.in_process import Session, run_session
from simulator.flashers.task import Job, Task
from simulator.host.handle import Handle
from simulator.links.virtual import VirtualPort
from simulator.scenario import Scenario
from tests.model.broken_flashers import ROM, Say, honest

APP = Image(offset=0x10000, size=24 * 1024, kind="app")
INSTALL = (Image(offset=0x1000, size=1, kind="bootloader"), Image(offset=0x8000, size=1, kind="partitions"), APP)
BYTES = (Image(offset=0x10000, size=8192), Image(offset=0x20000, size=4096, seed=1))
ADAPTER = FlashcoreAdapter(use_stub=False)


def judged(
    job: Job, session: Session | None = None, faults: tuple[str, ...] = (), **scenario: object
) -> tuple[Result, Judgement]:
    """Run a job by a session, or by flashcore, and return what came of it with its verdict.

    `faults` are what the verdict takes to be wrong, without it being so.
    """
    task = Task(scenario=Scenario(**scenario), job=job, limit_s=1000)  # type: ignore[arg-type]
    result = run_session(task, session) if session is not None else next(iter(ADAPTER.run([task])))
    return result, judge(Case(flasher="x", suite="x", preset=CLEAN, job=job, faults=faults), result, 20.0)


@pytest.mark.parametrize(
    "job",
    [
        Job(images=INSTALL, success="boots"),
        Job(images=INSTALL, success="runs"),
        Job(images=BYTES, action="read"),
        Job(images=BYTES, action="erase"),
        Job(images=BYTES, baud=460800),
        Job(images=BYTES, sessions=2),
    ],
    ids=["boots", "runs", "read", "erase", "baud", "sessions"],
)
def test_a_job_that_is_done_is_done(job: Job) -> None:
    result, judgement = judged(job)
    assert judgement.verdict is Verdict.RECOVERED, (judgement, result)
    assert len(result.earlier) == job.sessions - 1


# --- broken flashers, each against the job that shows it ----------------------------------------------------------------


def reads_zeros(port: VirtualPort, job: Job, say: Say) -> bytes:
    with Flasher.open(port, ROM):
        return bytes(job.size)


def reads_and_says_nothing_of_it(port: VirtualPort, job: Job, say: Say) -> None:
    with Flasher.open(port, ROM) as flasher:
        flasher.read(job.images[0].offset, 4096)


def reads_what_it_erases(port: VirtualPort, job: Job, say: Say) -> bytes:
    with Flasher.open(port, ROM) as flasher:
        data = b"".join(flasher.read(image.offset, image.size) for image in job.images)
        flasher.erase(job.images[0].offset, 4096)
        return data


def erases_half(port: VirtualPort, job: Job, say: Say) -> None:
    with Flasher.open(port, ROM) as flasher:
        flasher.erase(job.images[0].offset, 4096)


def erases_more(port: VirtualPort, job: Job, say: Say) -> None:
    with Flasher.open(port, ROM) as flasher:
        flasher.erase(0x10000, 0x12000)


def leaves_it_in_download_mode(port: VirtualPort, job: Job, say: Say) -> None:
    with Flasher.open(port, Options(use_stub=False, after=After.NO_RESET)) as flasher:
        flasher.write([Region(offset=image.offset, data=image.data()) for image in job.images])


@pytest.mark.parametrize(
    ("job", "session", "says"),
    [
        (Job(images=BYTES, action="read"), reads_zeros, "what was read is not what the flash holds"),
        (Job(images=BYTES, action="read"), reads_and_says_nothing_of_it, "what was read is not what the flash holds"),
        (Job(images=BYTES, action="read"), reads_what_it_erases, "the flash changed"),
        (Job(images=BYTES, action="erase"), erases_half, "the flash is not blank"),
        (Job(images=BYTES, action="erase"), erases_more, "flash outside the images changed"),
        (Job(images=BYTES, success="boots"), honest, "starts no app when it is reset"),
        (Job(images=INSTALL, success="runs"), leaves_it_in_download_mode, "no app is running"),
    ],
)
def test_a_job_that_is_said_to_be_done_and_is_not_is_a_false_success(job: Job, session: Session, says: str) -> None:
    _, judgement = judged(job, session)
    assert judgement.verdict is Verdict.FALSE_SUCCESS
    assert says in judgement.reason


def test_a_board_that_was_left_in_download_mode_boots_when_it_is_reset() -> None:
    _, judgement = judged(Job(images=INSTALL, success="boots"), leaves_it_in_download_mode)
    assert judgement.verdict is Verdict.RECOVERED


# --- what is left behind -------------------------------------------------------------------------------------------------


def leaves_dtr_asserted(port: VirtualPort, job: Job, say: Say) -> None:
    honest_on(port, job)
    port.set_lines(dtr=True, rts=False)
    port.close(lines=None)


def leaves_the_chip_in_reset(port: VirtualPort, job: Job, say: Say) -> None:
    honest_on(port, job)
    port.set_lines(dtr=False, rts=True)
    port.close(lines=None)


def leaves_the_port_open(port: VirtualPort, job: Job, say: Say) -> None:
    honest_on(port, job)


def fails_and_leaves_the_port_open(port: VirtualPort, job: Job, say: Say) -> None:
    raise DeadlineExceededError("no answer")


def honest_on(port: VirtualPort, job: Job) -> None:
    """Do the job through a port of its own, so that `port` is there to be left as it is."""
    assert isinstance(port.device, Handle)
    honest(VirtualPort(port.device.device), job, lambda text: None)


@pytest.mark.parametrize(
    ("session", "says"),
    [
        (leaves_dtr_asserted, "IO0 is held low"),
        (leaves_the_chip_in_reset, "the chip is held in reset"),
        (leaves_the_port_open, "its port is still open"),
        (fails_and_leaves_the_port_open, "its port is still open"),
    ],
)
def test_a_board_that_is_kept_from_others_is_as_good_as_bricked(session: Session, says: str) -> None:
    _, judgement = judged(Job(images=BYTES), session)
    assert (judgement.verdict, says in judgement.reason) == (Verdict.BRICKED, True), judgement


@pytest.mark.parametrize(("board", "held"), [("esp32-devkitc", ("IO0 is held low",)), ("esp32-cp2102c", ())])
def test_dtr_stays_asserted_where_the_adapter_moves_rts_by_itself(board: str, held: tuple[str, ...]) -> None:
    world = Scenario(board=board).build()
    world.device.submit(HostLines(True, False))
    world.device.advance(100_000_000)
    assert _held(world, (True, False)) == held


# --- refusals ------------------------------------------------------------------------------------------------------------


def refuses_at_once(port: VirtualPort, job: Job, say: Say) -> None:
    with Flasher.open(port, ROM):
        raise WrongOffsetError("this does not belong there")


def refuses_too_late(port: VirtualPort, job: Job, say: Say) -> None:
    with Flasher.open(port, ROM) as flasher:
        flasher.erase(job.images[0].offset, 4096)
        flasher.write([Region(offset=job.images[0].offset, data=b"begun")])
        raise WrongOffsetError("this does not belong there")


@pytest.mark.parametrize(
    ("session", "untouched", "verdict"),
    [
        (refuses_at_once, True, Verdict.FAILED_CLEAN),
        (refuses_too_late, False, Verdict.FAILED_CLEAN),
        (refuses_too_late, True, Verdict.FAILED_MISDIAGNOSED),
    ],
)
def test_a_refusal_leaves_the_flash_as_it_was_where_that_is_asked(session: Session, untouched: bool, verdict: Verdict) -> None:
    result, judgement = judged(Job(images=BYTES, untouched=untouched), session, faults=("wrong-offset",))
    assert judgement.verdict is verdict
    assert result.evidence.recoverable is True


def test_a_refusal_where_nothing_is_wrong_is_none() -> None:
    result, judgement = judged(Job(images=BYTES), refuses_at_once)
    assert judgement.verdict is Verdict.FAILED_MISDIAGNOSED
    assert judgement.reason == f"it stopped with exit status {result.status}, and nothing was wrong"


# --- several sessions ----------------------------------------------------------------------------------------------------


def test_the_last_of_several_sessions_counts_and_all_are_in_one_world() -> None:
    calls: list[int] = []

    def first_fails(port: VirtualPort, job: Job, say: Say) -> None:
        calls.append(port.clock.now_ns())
        say(f"session {len(calls)}")
        if len(calls) == 1:
            port.close()
            raise DeadlineExceededError("no answer")
        honest(port, job, say)

    result, judgement = judged(Job(images=BYTES, sessions=2), first_fails)
    assert judgement.verdict is Verdict.RECOVERED
    assert result.earlier == ("session 1\ntransfer.timeout: no answer",)
    assert result.messages == "session 2"
    assert calls[0] < calls[1]


def test_what_is_to_be_read_lies_on_the_flash_before() -> None:
    result, _ = judged(Job(images=BYTES, action="read"), reads_zeros)
    assert result.evidence.holds
    assert not result.evidence.touched


def test_a_used_flash_has_something_to_erase_and_something_beside_it() -> None:
    blank, used = (judged(replace(Job.of_size(8192), used=used))[0].evidence for used in (False, True))
    assert (blank.holds, used.holds, used.astray) == (True, True, False)
    _, judgement = judged(replace(Job.of_size(8192), used=True), writes_and_erases_more)
    assert "flash outside the images changed" in judgement.reason


def writes_and_erases_more(port: VirtualPort, job: Job, say: Say) -> None:
    with Flasher.open(port, ROM) as flasher:
        flasher.write([Region(offset=image.offset, data=image.data()) for image in job.images])
        flasher.erase(0x12000, 4096)


def test_a_clean_run_counts_what_faults_may_strike() -> None:
    evidence = judged(Job(images=BYTES))[0].evidence
    assert evidence.frames_to_device > 10
    assert evidence.bytes_to_device > 12288
    assert evidence.bytes_to_host > evidence.frames_to_host
    assert evidence.line_edges >= 4
    # Three sectors erased and 48 pages programmed.
    assert evidence.flash_ops == 51
    assert replace(evidence, virtual_s=0) == replace(judged(Job(images=BYTES))[0].evidence, virtual_s=0)
