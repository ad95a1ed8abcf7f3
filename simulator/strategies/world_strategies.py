"""Boards, images and whole scenarios as strategies."""

from __future__ import annotations

from simulator.board.presets import PRESETS, BoardPreset
from simulator.chip.flash_array import SECTOR
from simulator.faults.presets.schema import BoardSetup
from simulator.flashers.images import Image
from simulator.outset import changed
from simulator.scenario import Scenario
from simulator.strategies.fault_strategies import plans
from simulator.strategies.needed import st

LOCKED = ("esp32-encrypted", "esp32-encrypted-release", "esp32-secure-boot", "esp32-no-download")
"""Boards whose eFuses forbid something that a plain write needs."""


def boards(*, locked: bool = False) -> st.SearchStrategy[str]:
    """Return a strategy for names of boards, the plainest first.

    Args:
        locked: Whether boards may be among them that security settings keep from being flashed as usual.
    """
    plain = [name for name in PRESETS if name not in LOCKED]
    return st.sampled_from(plain + [name for name in LOCKED if locked])


def changed_boards() -> st.SearchStrategy[BoardPreset]:
    """Return a strategy for boards with other parts than the maker's, for `simulator.board.Board`.

    The capacitor at EN, the wiring of DTR and RTS, and the speed of the adapter's control transfers decide whether a reset
    leads into download mode.
    """
    setups = st.builds(
        BoardSetup,
        name=boards(),
        c_nf=st.none() | st.sampled_from((0.0, 1.0, 100.0, 1000.0, 10_000.0)),
        control_ms=st.none() | st.integers(0, 20),
        wiring=st.sampled_from((None, "transistors", "direct", "crossed", "inverted", "none")),
        crystal_mhz=st.sampled_from((None, 26, 40)),
    )
    return setups.map(lambda setup: changed(PRESETS[setup.name], setup))


def images(*, first: int = 0x10000, last: int = 0x1FFFFF, max_size: int = 64 * 1024) -> st.SearchStrategy[Image]:
    """Return a strategy for images: what is to be written where, made from a few words.

    Args:
        first: Lowest offset in the flash.
        last: Last byte of the flash that may be used.
        max_size: Most bytes of an image.
    """
    offsets = st.sampled_from(range(-(-first // SECTOR) * SECTOR, last + 1, SECTOR))
    sizes = st.integers(1, max_size) | st.sampled_from([size for size in (1, 4, 1024, SECTOR, 16384) if size <= max_size])
    made = st.builds(Image, offset=offsets, size=sizes, seed=st.integers(0, 99))
    return made.filter(lambda image: image.offset + image.size - 1 <= last)


def scenarios(*, max_faults: int = 2) -> st.SearchStrategy[Scenario]:
    """Return a strategy for worlds: a board, a plan, a seed, and what runs on the board.

    Args:
        max_faults: How many faults a plan has at most.
    """
    return st.builds(
        Scenario,
        board=boards(),
        faults=plans(max_size=max_faults),
        seed=st.integers(0, 99),
        download=st.booleans(),
        firmware=st.sampled_from(("", "esp-idf", "arduino", "softrf", "boot-loop")),
    )
