"""A slice of the fuzzing that ``tox -e fuzz`` does at length, and the proof that it would notice what it looks for."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzz import run
from fuzz.bounds import BrokenError, BudgetKernel, check_footprint, footprint, frames
from fuzz.corpus import rom_corpus, stub_corpus
from fuzz.targets import MIX, TARGETS, Player, target_of
from simulator.chip.rom.loader import RomLoader
from simulator.chip.rom.slip import SlipReceiver
from simulator.chip.rom.state import RomState
from simulator.chip.stub.legacy_reader import LegacyReader
from simulator.links import rfc2217
from simulator.links.line_modes import Replay

SEED = 20
INPUTS = 600


def test_no_input_of_the_slice_breaks_anything() -> None:
    player = Player(SEED)
    played: Counter[str] = Counter()
    compared = 0
    for index in range(INPUTS):
        result = player.play(index)
        played[result.target] += 1
        compared += result.outcome.compared
    assert set(played) == set(TARGETS)
    assert compared > 3 * INPUTS


def test_an_input_depends_on_nothing_but_seed_and_number() -> None:
    used = Player(SEED)
    before = [used.play(index).outcome.mark for index in range(4 * len(MIX))]
    for index in range(4 * len(MIX) - 1, -1, -7):
        assert Player(SEED).play(index).outcome.mark == before[index], index
    assert len(set(before)) > len(before) // 2


def test_what_is_heard_does_not_depend_on_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    marks = []
    for day in ("Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 02 Jan 1970 11:11:11 GMT"):
        monkeypatch.setattr("email.utils.formatdate", lambda *_, day=day, **__: day)
        marks.append([Player(SEED).play(index).outcome.mark for index in range(len(MIX)) if target_of(index) == "websocket"])
    assert marks[0] == marks[1] != []


def test_most_recordings_are_held_to() -> None:
    assert len(rom_corpus().short) > 1_000
    assert all(len(stub_corpus(file).short) > 150 for file in ("stub_e3", "stub_e5_1", "stub_e5_2"))


def _forgets_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    def append(self: SlipReceiver, piece: bytes) -> None:
        end = self.length + len(piece)
        self.buffer[self.length : end] = piece
        self.length = end

    monkeypatch.setattr(SlipReceiver, "_append", append)


def _lets_input_into_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    receive = RomLoader.receive

    def meddle(self: RomLoader, chunk: object) -> None:
        if self._busy:
            self.state.value ^= 1
        receive(self, chunk)  # type: ignore[arg-type]

    monkeypatch.setattr(RomLoader, "receive", meddle)


def _sends_a_wrong_size(monkeypatch: pytest.MonkeyPatch) -> None:
    packet = RomState.packet
    monkeypatch.setattr(RomState, "packet", lambda self: packet(self) + bytes(self.data_length == 64))


def _trusts_an_acknowledgement(monkeypatch: pytest.MonkeyPatch) -> None:
    turn = LegacyReader._turn

    def trusting(self: LegacyReader) -> bool:
        assert self._acknowledged <= self._sent
        return turn(self)

    monkeypatch.setattr(LegacyReader, "_turn", trusting)


def _sends_bare_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rfc2217, "escaped", lambda data: data)


def _leaves_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Replay, "end", lambda self: None)


def _play_all(player: Player, target: str) -> None:
    for index in range(12_000):
        if target_of(index) == target:
            player.play(index)


@pytest.mark.parametrize(
    ("damage", "target"),
    [
        (_forgets_a_bound, "rom"),
        (_lets_input_into_an_answer, "rom"),
        (_sends_a_wrong_size, "rom"),
        (_trusts_an_acknowledgement, "legacy-stub"),
        (_sends_bare_bytes, "rfc2217"),
        (_leaves_the_lines, "rfc2217"),
    ],
)
def test_a_fault_in_the_simulator_is_found(
    damage: Callable[[pytest.MonkeyPatch], None], target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(monkeypatch)
    with pytest.raises((BrokenError, AssertionError)):
        _play_all(Player(7), target)


def test_a_failure_is_kept_with_what_was_said_and_the_command_that_repeats_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(run, "STORE", tmp_path)
    index = MIX.index("rfc2217")
    player, tally = Player(7), run.Tally()
    with monkeypatch.context() as context:
        _sends_bare_bytes(context)
        while not tally.failures:
            index += len(MIX)
            run.play(player, 7, index, tally)
    (failure,) = tally.failures
    kept = json.loads(failure.save().read_text())
    assert kept["command"] == f"python fuzz/run.py --seed 7 --only {index}"
    assert kept["error"].startswith("BrokenError: the client gets what the device said")
    assert kept["story"] == [["say", data.hex()] for _, data in player_story(index)]
    assert f"{tally.played['rfc2217']:,}" in "".join(line for line in run.report(tally, 1) if line.startswith("rfc2217"))


def player_story(index: int) -> list[tuple[str, bytes]]:
    """Return what an input says when nothing breaks."""
    player = Player(7)
    player.play(index)
    return player.story(index)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers for processor time")
def test_an_input_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hung:
        def play(self, index: int) -> None:
            while True:
                pass

        def story(self, index: int) -> list[tuple[str, bytes]]:
            return []

        def forget(self, index: int) -> None: ...

    monkeypatch.setattr(run, "HANG_S", 0.01)
    before = signal.signal(signal.SIGVTALRM, run._hung)
    tally = run.Tally()
    try:
        run.play(Hung(), 1, 0, tally)  # type: ignore[arg-type]
    finally:
        signal.signal(signal.SIGVTALRM, before)
    assert "processor time" in tally.failures[0].error


def test_endless_planning_is_stopped() -> None:
    kernel = BudgetKernel()

    def again() -> None:
        kernel.after(0, again)

    again()
    with pytest.raises(BrokenError, match="plans at most"):
        kernel.advance(1)


def test_a_footprint_counts_what_instances_keep_and_what_timers_will_use() -> None:
    kernel = BudgetKernel()
    empty = footprint(kernel)
    held = bytearray(5_000)
    kernel.after(1, lambda: held.clear())
    assert 5_000 < footprint(kernel) - empty < 5_200
    receiver = SlipReceiver()
    kernel.after(2, lambda: print(receiver))
    assert footprint(kernel) - empty > 5_000 + 8_192
    with pytest.raises(BrokenError, match="at most 9999 bytes"):
        check_footprint(kernel, limit=9_999)


@pytest.mark.parametrize(
    ("stream", "claim"),
    [
        (b"\xc0a\xc0b\xc0c\xc0", "nothing between them"),
        (b"\xc0a\xc0b", "nothing between them"),
        (b"\xc0a", "comes to its end"),
        (b"\xc0\xdb\xc0", "no escapes but"),
    ],
)
def test_what_is_no_frame_is_noticed(stream: bytes, claim: str) -> None:
    with pytest.raises(BrokenError, match=claim):
        frames(stream, complete=True)


def test_frames_are_taken_apart() -> None:
    assert frames(b"\xc0\xdb\xdc\xc0\xc0\xc0\xc0b", complete=False) == [b"\xc0", b""]
