"""Many small sessions on one core: what a campaign of thousands of cases is made of.

Each session builds a board from its scenario, resets it, finds the ROM loader by SYNC, names the chip, writes 4 KiB through the
ROM and has the MD5 compared; then the flash array itself is compared with what was to be written. The flasher is told the size
of the flash, since asking for the id would be half of all the commands. The baseline is the rate that is asked for, so the
ratio is the reserve.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks import workload
from benchmarks.measure import Table, at_least, compare, in_turn, rate
from flashcore.image import Region
from flashcore.loader import Flasher, Options
from simulator.links.virtual import VirtualPort
from simulator.scenario import Scenario

REQUIRED = 300.0
"""Sessions per second."""

BOARD = "ttgo-lora32-v1"
OFFSET = 0x10000
SIZE = 4 * workload.KIB
FLASH_SIZE = 4 * 1024 * workload.KIB

_OURS, _ASKED = "small sessions (4 KiB, ROM)", "what is asked for"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How much to do.

    Args:
        sessions: How many sessions are timed together.
        rounds: How often.
    """

    sessions: int = 100
    rounds: int = 7


def measure(setup: Setup) -> Table:
    """Measure and compare."""
    data = workload.random_blocks(1, SIZE)[0]

    def work() -> None:
        for _ in range(setup.sessions):
            session(data)

    found = in_turn({_OURS: lambda: rate(work, setup.sessions, least_s=0), _ASKED: lambda: REQUIRED}, setup.rounds)
    row = compare(_OURS, "1/s", found, _OURS, _ASKED, at_least(1))
    return Table(name="sessions", title="complete small sessions per second of CPU time, on one core", rows=(row,))


def session(data: bytes) -> None:
    """Run one session that writes `data`.

    Raises:
        AssertionError: The flash does not hold it afterwards.
    """
    world = Scenario(board=BOARD).build()
    with Flasher.open(VirtualPort(world.device), Options(use_stub=False, flash_size=FLASH_SIZE)) as flasher:
        flasher.write([Region(offset=OFFSET, data=data)], force=True)
    assert world.board is not None
    if world.board.soc.flash.read(OFFSET, len(data)) != data:
        raise AssertionError("the session ended well, but the flash does not hold what was written")
