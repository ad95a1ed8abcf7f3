"""Whatever the text form can say, the simulator carries out: a session ends, and never in an error of the simulator's own."""

from __future__ import annotations

from hypothesis import given, settings

from flashcore.errors import FlashcoreError
from flashcore.image import Region
from flashcore.loader import Flasher, Options
from simulator.faults.actions_host import HostAction
from simulator.faults.model import Fault
from simulator.faults.text import format as text_of
from simulator.links.virtual import VirtualPort
from simulator.scenario import Scenario
from tests.unit.test_faults import any_fault


def session(fault: str) -> tuple[str, int]:
    world = Scenario(board="ttgo-lora32-v1", faults=(fault,), firmware="arduino", seed=3).build()
    try:
        with Flasher.open(VirtualPort(world.device), Options(use_stub=False)) as flasher:
            flasher.write([Region(offset=0x20000, data=bytes(range(256)) * 12)])
    except FlashcoreError:
        pass
    for planned in world.planned:
        planned.heal()
    with Flasher.open(VirtualPort(world.device), Options(use_stub=False)) as flasher:
        flasher.write([Region(offset=0x20000, data=bytes(range(256)) * 4)])
    assert world.flash_image()[0x20000:0x20400] == bytes(range(256)) * 4
    return world.journal.digest(), world.planned[0].fired


@settings(max_examples=60, deadline=None)
@given(any_fault().filter(lambda fault: not isinstance(fault.what, HostAction)))
def test_any_fault_can_strike_and_be_healed_and_strikes_alike_again(fault: Fault) -> None:
    assert session(text_of(fault)) == session(text_of(fault))
