"""What is known of esptool's releases, against what the bench shows of them: verdict, seconds, wording.

`STATED` is what was measured against a stand-in that answers at once; it is data, and so is what the bench shows. Where the two
differ, the row says why, and docs/peers.md says it too.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulator.campaign import Record, Verdict
from simulator.campaign.run import InTurn, clean_cases, processes, run, run_clean
from simulator.campaign.singles import NO_CHIP, ON_THE_WIRE, SILENT
from simulator.campaign.suite import Order, Suite
from simulator.flashers.adapter import Result
from simulator.flashers.environments import FlasherEnvironmentError
from simulator.flashers.esptool import EsptoolAdapter
from simulator.flashers.images import Image
from simulator.flashers.known import adapter
from simulator.flashers.task import Job, Task
from simulator.scenario import Scenario
from tests import peers

pytestmark = pytest.mark.peers

PAGE = Path(__file__).resolve().parents[2] / "docs" / "peers.md"

OK, FATAL, STOP = Verdict.RECOVERED, Verdict.FAILED_CLEAN, Verdict.CRASHED
"""Finished and verified; a message and exit status 2; the bare StopIteration of a retry that reads from a dead generator."""
WRONG = Verdict.FAILED_MISDIAGNOSED
"""A message that names another cause."""

SLACK_S = 0.5
"""How far seconds may be from those stated: a block takes time on the wire, and a program time to start."""

BLOCK_S = 1.43
"""A block of 16 KiB on the wire at 115200 baud."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of one fault and the releases of one family.

    Args:
        verdict: What comes of it.
        seconds: From the fault until the end; ``None`` where nothing was stated.
        here: The same on the bench, if it is another verdict.
        here_s: The same on the bench, if it takes another time.
        because: Why the bench differs.
    """

    verdict: Verdict
    seconds: float | None = None
    here: Verdict | None = None
    here_s: float | None = None
    because: str = ""


WAITED = "it sends the block twice more without waiting, and on a real wire that takes the time of two blocks"
AHEAD = (
    "the stand-in answered everything; a stub that is still writing keeps one of two frames that come meanwhile, and with an "
    "answer too many in hand esptool is one block ahead of it"
)
EARLIER = "esptool 3.x and 4.2 wait 0.05 s for the answer to MEM_END, and then read from the generator that died of it"
EXPANDS = "esptool 5.6 computes this wait from what the block before expands to, which depends on the file"


OLD = "3.3, and 4.0 to 4.2"
MIDDLE = "3.3.3, and 4.3 to 4.12"
NEW = "5.3.1 and later"


def each(
    old: Verdict, middle: Verdict, new: Verdict, *, seconds: tuple[float, float, float] | None = None
) -> Mapping[str, Known]:
    """Return a row in which the bench agrees."""
    times = seconds or (None, None, None)
    return {name: Known(verdict=v, seconds=s) for name, v, s in zip((OLD, MIDDLE, NEW), (old, middle, new), times, strict=True)}


def all_of(verdict: Verdict, seconds: float) -> Mapping[str, Known]:
    return each(verdict, verdict, verdict, seconds=(seconds, seconds, seconds))


def resent(seconds: float) -> Known:
    return Known(verdict=FATAL, seconds=seconds, here_s=seconds + 2 * BLOCK_S, because=WAITED)


def ahead() -> Known:
    return Known(verdict=OK, here=FATAL, because=AHEAD)


WIRE: Mapping[str, Mapping[str, Known]] = {
    "command-lost": {**each(FATAL, STOP, FATAL), OLD: Known(verdict=FATAL, seconds=3.0), NEW: resent(6.1)},
    "answer-lost": {**each(FATAL, STOP, FATAL), NEW: resent(6.1)},
    "answer-without-delimiter": each(FATAL, STOP, FATAL),
    "answer-length-wrong": each(OK, OK, OK),
    "block-refused": each(FATAL, OK, OK),
    "noise-before-answer": each(FATAL, STOP, FATAL),
    "text-before-answer": each(FATAL, STOP, FATAL),
    "answer-twice": {OLD: ahead(), MIDDLE: ahead(), NEW: ahead()},
    "answer-cut": {**each(FATAL, STOP, FATAL), NEW: resent(6.1)},
    "answer-bad-escape": each(FATAL, STOP, FATAL),
    "empty-frame-first": each(OK, OK, OK),
    "answer-other-opcode": {**each(FATAL, STOP, FATAL), OLD: Known(verdict=FATAL, seconds=3.0), NEW: resent(6.1)},
    # No release sends a block of the stub twice.
    "stub-block-refused": each(FATAL, FATAL, FATAL),
    "stub-answer-lost": all_of(FATAL, 3.0),
}
"""Twelve single faults on the second data block of a compressed write, and two in the upload of the stub."""

SILENCE: Mapping[str, Mapping[str, Known]] = {
    "silent-from-command": all_of(FATAL, 3.0),
    "silent-from-stub-upload": all_of(FATAL, 3.0),
    "silent-from-stub-start": {
        OLD: Known(verdict=FATAL, seconds=0.2, here=STOP, here_s=0.05, because=EARLIER),
        "3.3.3": Known(verdict=FATAL, seconds=0.2, here=STOP, here_s=0.05, because=EARLIER),
        MIDDLE: Known(verdict=FATAL, seconds=0.2),
        NEW: Known(verdict=FATAL, seconds=0.2),
    },
    "silent-from-block": {
        **each(FATAL, STOP, FATAL, seconds=(3.0, 3.0, 6.0)),
        NEW: Known(verdict=FATAL, seconds=6.0, here_s=6.5, because=EXPANDS),
    },
    "silent-from-md5": all_of(FATAL, 8.4),
    "silent-from-read": all_of(FATAL, 3.0),
    "silent-from-erase": each(FATAL, FATAL, FATAL, seconds=(31.5, 31.5, 42.0)),
    "silent-from-chip-erase": all_of(FATAL, 120.0),
}
"""How long each waits for a chip that falls silent."""

BURSTS = "the stand-in sent without a pause; this receiver says a burst each second and is silent in between, as real ones are"

NOTHING: Mapping[str, Mapping[str, Known]] = {
    "silent-line": each(FATAL, FATAL, FATAL, seconds=(7.8, 7.9, 8.0)),
    "wrong-port-echo": each(WRONG, WRONG, WRONG, seconds=(7.85, 8.05, 8.1)),
    "wrong-port-gps": {
        OLD: Known(verdict=WRONG, seconds=4.6, here_s=7.35, because=BURSTS),
        MIDDLE: Known(verdict=WRONG, seconds=4.75, here_s=7.5, because=BURSTS),
        NEW: Known(verdict=WRONG, seconds=4.8, here_s=7.5, because=BURSTS),
    },
    "wrong-port-modem": each(WRONG, WRONG, WRONG, seconds=(4.3, 4.45, 4.7)),
}
"""How long each tries to connect where there is no chip."""

ALL = {**WIRE, **SILENCE, **NOTHING}

SAYS: Mapping[str, Mapping[str, str]] = {
    "answer-without-delimiter": {OLD: r"Invalid head of packet \(0x40\)"},
    "answer-bad-escape": {OLD: r"Invalid SLIP escape \(0xdb, 0x"},
    "answer-cut": {OLD: r"Packet content transfer stopped \(received \d+ bytes\)"},
    "answer-lost": {NEW: "No more data to read from the serial port"},
    "block-refused": {OLD: r"after seq 1 \(result was C100"},
    "stub-block-refused": {OLD: r"0107\w*: Operation timed out", NEW: "0107: Checksum error"},
    "silent-from-stub-start": {"3.3.3": "StopIteration", MIDDLE: "no response", NEW: "no response"},
    "silent-line": {OLD: "No serial data received", MIDDLE: "No serial data received", NEW: "No serial data received"},
    "wrong-port-echo": dict.fromkeys((OLD, MIDDLE, NEW), "Serial data stream stopped"),
    "wrong-port-modem": dict.fromkeys((OLD, MIDDLE, NEW), "Invalid head of packet"),
}
"""What they say, where that is known."""


def family(release: str) -> str:
    version = peers.Esptool(release=release).version
    if version < (3, 3, 2) or (4,) <= version < (4, 3):
        return OLD
    return MIDDLE if version < (5, 3, 1) else NEW


@functools.cache
def records(release: str) -> dict[str, Record]:
    """Return the record of each single fault for one release."""
    peer = peers.esptool(release)
    flasher = EsptoolAdapter(name=f"esptool@{release}", version=release, python=peer.words[0])
    order = Order(suite=Suite.SINGLES)
    (clean,) = run_clean([order.clean(flasher.name)], {flasher.name: flasher}, InTurn())
    assert clean.judgement.verdict is Verdict.RECOVERED, clean
    cases = order.cases(flasher.name, clean.result.evidence)
    clean_s = {
        record.case.id: record.result.evidence.virtual_s
        for record in run_clean(clean_cases(cases), {flasher.name: flasher}, InTurn())
    }
    return {record.case.preset: record for record in run(cases, {flasher.name: flasher}, clean_s, InTurn())}


def test_every_single_fault_of_the_suite_is_known() -> None:
    assert [*ALL] == [*ON_THE_WIRE, *SILENT, *NO_CHIP]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("release", peers.releases())
def test_a_release_does_what_is_known_of_it(release: str, name: str) -> None:
    row, record = ALL[name], records(release)[name]
    known = row.get(release) or row[family(release)]
    assert record.judgement.verdict is (known.here or known.verdict), record
    assert record.result.evidence.fired > 0
    expected_s = known.here_s if known.here_s is not None else known.seconds
    if expected_s is not None:
        evidence = record.result.evidence
        taken_s = evidence.after_fault_s if evidence.after_fault_s is not None else evidence.virtual_s
        # A fault on an answer strikes when that leaves the chip, up to a block later than the flasher began to wait.
        early_s = BLOCK_S if name.startswith(("answer", "stub-answer")) else 0.0
        assert expected_s - early_s - SLACK_S <= taken_s <= expected_s + SLACK_S


@pytest.mark.parametrize("name", SAYS)
@pytest.mark.parametrize("release", peers.releases())
def test_a_release_says_what_is_known_of_it(release: str, name: str) -> None:
    pattern = SAYS[name].get(release) or SAYS[name].get(family(release))
    if pattern is not None:
        assert re.search(pattern, records(release)[name].judgement.diagnosis)


def test_the_code_0107_was_worded_as_a_time_out_for_years() -> None:
    """Source: docs/sources.md, Time-outs."""
    worded = {
        release: re.findall(r"0107\w*: ([\w ]+)", records(release)["stub-block-refused"].judgement.diagnosis)
        for release in peers.releases()
    }
    expected = {
        release: ["Checksum error" if _says_checksum(peers.Esptool(release=release).version) else "Operation timed out"]
        for release in peers.releases()
    }
    assert worded == expected


def _says_checksum(version: tuple[int, ...]) -> bool:
    # 4.12 took the wording of 5.1 over.
    return version >= (5, 1) or (4, 12) <= version < (5,)


def test_where_the_bench_differs_it_is_said_why() -> None:
    differing = {
        known.because for row in ALL.values() for known in row.values() if known.here is not None or known.here_s is not None
    }
    assert "" not in differing
    page = " ".join(PAGE.read_text(encoding="utf-8").lower().split())
    assert [text for text in sorted(differing) if text.lower() not in page] == []


def run_with(release: str, options: tuple[str, ...], fault: str, job: Job) -> Result:
    """Run one release with options of its own."""
    python = peers.esptool(release).words[0]
    flasher = EsptoolAdapter(name=release, version=release, python=python, options=options)
    return next(iter(flasher.run([Task(scenario=Scenario(faults=(fault,)), job=job, limit_s=1000)])))


@pytest.mark.parametrize("release", peers.releases())
def test_the_rom_s_erase_of_a_mebibyte_is_waited_for_as_long_as_known(release: str) -> None:
    job = Job(images=(Image(offset=0x100000, size=1 << 20, kind="zeros"),))
    result = run_with(release, ("--no-stub",), "h2d:nth_frame(FLASH_DEFL_BEGIN,1):stall", job)
    expected_s = 42.0 if family(release) is NEW else 31.5
    assert result.status == 2
    assert result.evidence.after_fault_s == pytest.approx(expected_s, abs=SLACK_S)


@pytest.mark.parametrize("preset", ["silent-line", "wrong-port-echo"])
@pytest.mark.parametrize("release", peers.releases())
def test_without_resets_it_gives_up_after_five_seconds_and_a_half(release: str, preset: str) -> None:
    word = "no-reset" if family(release) is NEW else "no_reset"
    result = run_with(release, ("--before", word), preset, Job.of_size(4096))
    assert result.status == 2
    assert result.evidence.virtual_s == pytest.approx(5.4, abs=SLACK_S)


# --- esptool-js, in real time ----------------------------------------------------------------------------------------------

STOPS = Verdict.FAILED_CLEAN
IN_NODE: Mapping[str, Verdict] = {
    "command-lost": OK,
    "answer-lost": STOPS,
    "answer-without-delimiter": STOPS,
    "answer-length-wrong": OK,
    "block-refused": OK,
    "noise-before-answer": STOPS,
    "text-before-answer": STOPS,
    "answer-twice": OK,
    "answer-cut": STOPS,
    "answer-bad-escape": STOPS,
    "empty-frame-first": OK,
    "answer-other-opcode": STOPS,
}
"""What was measured of esptool-js: it does not fall over its own reader, and sends a block again that nobody answered."""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not peers.whole(), reason="takes a minute of real time, which a busy machine does not have")
def test_esptool_js_does_what_is_known_of_it() -> None:
    try:
        flasher = adapter("esptool-js", cache=peers.CACHE)
    except FlasherEnvironmentError as error:
        peers.or_skip(error)
    order = Order(suite=Suite.SINGLES)
    adapters = {flasher.name: flasher}
    with processes(2) as executor:
        (clean,) = run_clean([order.clean(flasher.name)], adapters, executor)
        cases = [case for case in order.cases(flasher.name, clean.result.evidence) if case.preset in IN_NODE]
        clean_s = {clean.case.id: clean.result.evidence.virtual_s}
        found = {record.case.preset: record for record in run(cases, adapters, clean_s, executor)}
    assert {name: found[name].judgement.verdict for name in IN_NODE} == IN_NODE, found
