"""The strategies for other people's property-based tests, and the machine that tries a flasher out."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from flashcore.errors import PlanError
from flashcore.image import Region
from flashcore.port import Port, ns
from flashcore.protocol.opcodes import Opcode
from flashcore.protocol.packet import Request, checksum, parse_response
from flashcore.protocol.slip import Decoder, Frame, encode
from simulator.board.autoreset import Wiring
from simulator.board.board import Board
from simulator.board.presets import PRESETS, BoardPreset
from simulator.faults.actions_host import HostAction
from simulator.faults.model import STREAMS, Where
from simulator.faults.registry import ACTIONS, HEALS, TRIGGERS
from simulator.faults.text import format as text_of
from simulator.faults.text import parse
from simulator.flashers.images import Image
from simulator.scenario import Scenario
from simulator.strategies import FlasherMachine, boards, changed_boards, faults, images, plans, scenarios
from simulator.strategies.fault_strategies import _ARGUMENTS

BUILDING = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])


def test_every_argument_of_the_fault_model_has_a_strategy() -> None:
    kinds = [*ACTIONS.values(), *TRIGGERS.values(), *HEALS.values()]
    assert {field.name for kind in kinds for field in dataclasses.fields(kind)} <= set(_ARGUMENTS)


@given(faults(where=tuple(Where)))
def test_a_fault_is_text_that_means_itself(text: str) -> None:
    assert text_of(parse(text)) == text


@pytest.mark.parametrize("name", [name for name, kind in ACTIONS.items() if not issubclass(kind, HostAction)])
def test_every_action_of_a_board_with_one_port_can_be_asked_for(name: str) -> None:
    @settings(max_examples=5, database=None)
    @given(faults(actions=(name,)))
    def check(text: str) -> None:
        found = parse(text)
        assert type(found.what) is ACTIONS[name]
        Scenario(faults=(text,)).build()

    check()


@given(faults(where=STREAMS, actions=("drop", "delay"), when=("nth_frame",), heal=True))
def test_places_actions_and_triggers_can_be_chosen(text: str) -> None:
    found = parse(text)
    assert found.where in STREAMS
    assert type(found.what) in (ACTIONS["drop"], ACTIONS["delay"])
    assert type(found.when) is TRIGGERS["nth_frame"]
    assert found.times > 0


def test_a_wrong_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(PlanError, match="unknown action 'dorp'") as found:
        faults(actions=("dorp",))
    assert found.value.hint == "did you mean 'drop'?"
    with pytest.raises(PlanError, match="no fault can do any of this"):
        faults(where=(Where.FLASH,), actions=("drop",))


@given(plans(max_size=4))
@BUILDING
def test_a_plan_fits_a_board(plan: tuple[str, ...]) -> None:
    assert len(set(plan)) == len(plan) <= 4
    assert [fault.name for fault in Scenario(faults=plan).build().planned] == list(plan)


@given(scenarios())
@BUILDING
def test_a_scenario_can_be_built(scenario: Scenario) -> None:
    assert Scenario.from_json(scenario.to_json()) == scenario
    assert scenario.build().board is not None


@given(boards(), boards(locked=True))
def test_boards_are_names_of_boards(plain: str, any_one: str) -> None:
    assert plain in PRESETS
    assert any_one in PRESETS
    assert not PRESETS[plain].chip.efuse_fields


@given(changed_boards())
@BUILDING
def test_a_changed_board_works(preset: BoardPreset) -> None:
    board = Board(preset, download=True)
    board.advance(1_000_000_000)
    assert board.soc.enabled or preset.wiring is Wiring.INVERTED


@given(images(first=0x10001, last=0x2FFFF, max_size=5000))
def test_images_lie_in_their_part_of_the_flash(image: Image) -> None:
    assert image.offset % 4096 == 0
    assert 0x10001 <= image.offset < image.end <= 0x30000
    assert 1 <= len(image.data()) <= 5000


class Failed(Exception):
    """The small flasher says that it has failed."""


class Plain:
    """A flasher of a few lines, honest and without patience: one attempt at everything, by the ROM loader."""

    def __init__(self, port: Port) -> None:
        self.port = port
        port.set_lines(dtr=False, rts=True)
        self.wait(0.1)
        port.set_lines(dtr=True, rts=False)
        self.wait(0.05)
        port.set_lines(dtr=False, rts=False)
        self.wait(0.05)
        for _ in range(5):
            port.discard_input()
            with suppress(Failed):
                self.ask(Opcode.SYNC, b"\x07\x07\x12\x20" + b"\x55" * 32, limit_s=0.1)
                break
        self.ask(Opcode.SPI_ATTACH, bytes(8))

    def wait(self, seconds: float) -> None:
        self.port.clock.sleep_until(self.port.clock.now_ns() + ns(seconds))

    def ask(self, opcode: Opcode, body: bytes, check: int = 0, *, limit_s: float = 3.0) -> bytes:
        self.port.write(encode(Request(opcode, body, check).pack()), self.port.clock.now_ns() + ns(1))
        limit, decoder = self.port.clock.now_ns() + ns(limit_s), Decoder()
        while data := self.port.read(4096, limit):
            for piece in decoder.feed(data):
                answer = parse_response(piece.packet) if isinstance(piece, Frame) else None
                if answer is not None and answer.opcode == opcode and answer.intact:
                    if answer.body[-4]:
                        raise Failed(f"{opcode.name} was refused")
                    return answer.body[:-4]
        raise Failed(f"no answer to {opcode.name}")

    def write(self, region: Region) -> None:
        blocks = [region.data[start : start + 1024] for start in range(0, region.size, 1024)]
        self.ask(Opcode.FLASH_BEGIN, struct.pack("<4I", region.size, len(blocks), 1024, region.offset))
        for number, block in enumerate(blocks):
            padded = block.ljust(1024, b"\xff")
            self.ask(Opcode.FLASH_DATA, struct.pack("<4I", 1024, number, 0, 0) + padded, checksum(padded))
        if not self.holds(region):
            raise Failed("the digest differs")

    def holds(self, region: Region) -> bool:
        answer = self.ask(Opcode.SPI_FLASH_MD5, struct.pack("<4I", region.offset, region.size, 0, 0))
        return answer == hashlib.md5(region.data).hexdigest().encode()


class Good(FlasherMachine):
    # Few of each, so that a bad flasher's program is small soon.
    fault_strategy = st.sampled_from([f"d2h:nth_frame({command},1):drop" for command in ("FLASH_BEGIN", "FLASH_DATA", "SYNC")])
    image_strategy = st.sampled_from([Image(offset=0x10000, size=2048), Image(offset=0x12000, size=1)])
    failures = (Failed,)
    limit_s = 60.0

    def write(self, port: Port, regions: Sequence[Region]) -> None:
        plain = Plain(port)
        for region in regions:
            plain.write(region)

    def verify(self, port: Port, regions: Sequence[Region]) -> bool:
        plain = Plain(port)
        return all(plain.holds(region) for region in regions)


class SaysSoAnyway(Good):
    def write(self, port: Port, regions: Sequence[Region]) -> None:
        with suppress(Failed):
            super().write(port, regions)


class CutsTheEnd(Good):
    def write(self, port: Port, regions: Sequence[Region]) -> None:
        super().write(port, [Region(offset=region.offset, data=region.data[:1024]) for region in regions])


class WritesElsewhere(Good):
    def write(self, port: Port, regions: Sequence[Region]) -> None:
        super().write(port, [Region(offset=0x10000, data=b"gone"), *regions])


class Crashes(Good):
    def write(self, port: Port, regions: Sequence[Region]) -> None:
        try:
            super().write(port, regions)
        except Failed as error:
            raise ZeroDivisionError from error


class Hangs(Good):
    def write(self, port: Port, regions: Sequence[Region]) -> None:
        try:
            super().write(port, regions)
        except Failed:
            while True:
                port.read(1 << 16, port.clock.now_ns() + ns(10))


class SeesWhatItWants(Good):
    def verify(self, port: Port, regions: Sequence[Region]) -> bool:
        self.bench.load(regions[0].offset, b"\0")
        return True


class ReadsNothing(Good):
    def read(self, port: Port, offset: int, size: int) -> bytes:
        return b"\xff" * size


class GivesUpForGood(Good):
    hurt = False

    def write(self, port: Port, regions: Sequence[Region]) -> None:
        if self.hurt:
            raise Failed("not again")
        try:
            super().write(port, regions)
        except Failed:
            self.hurt = True
            raise


TRIED = settings(
    phases=(Phase.generate, Phase.shrink),
    max_examples=1000,
    stateful_step_count=5,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize(
    ("flasher", "problem", "program"),
    [
        (SaysSoAnyway, "said that it had written Image(", ["inject", "write_region"]),
        (CutsTheEnd, "said that it had written Image(", ["write_region"]),
        (WritesElsewhere, "said that it had written Image(", ["write_region", "write_region"]),
        (Crashes, "ZeroDivisionError", ["inject", "write_region"]),
        (Hangs, "the flasher hangs: no end after 60 virtual seconds", ["inject", "write_region"]),
        (SeesWhatItWants, "verified Image(", ["write_region", "check"]),
        (ReadsNothing, "read something else than the flash holds at 0x", ["write_region", "read_back"]),
        (GivesUpForGood, "could not be written: Failed('not again')", ["inject", "write_region", "write_without_faults"]),
        (FlasherMachine, "must say how its flasher writes", ["write_region"]),
    ],
)
def test_a_bad_flasher_is_found_and_the_minimal_program_printed(
    flasher: type[FlasherMachine], problem: str, program: list[str]
) -> None:
    with pytest.raises(BaseException) as found:
        run_state_machine_as_test(flasher, settings=TRIED)
    assert problem in repr(found.value) + str(found.value)
    notes = "\n".join(found.value.__notes__)
    steps = re.findall(r"state\.(\w+)\(", notes)
    assert [step for step in steps if step not in ("flash_holds_what_was_claimed", "teardown")] == program
    if "inject" in program:
        assert "state.inject(fault='d2h:nth_frame(FLASH_" in notes
    assert "image=Image(offset=" in notes


def test_a_good_flasher_passes() -> None:
    run_state_machine_as_test(Good, settings=settings(TRIED, max_examples=30))


def test_a_missing_hypothesis_is_named_with_what_brings_it() -> None:
    code = "import sys; sys.modules['hypothesis'] = None; import simulator.strategies"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: simulator.strategies needs Hypothesis, which is not installed: pip install ")
    assert "flashcore[hypothesis]" in last
