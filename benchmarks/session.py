"""A big write into the virtual board, beside what it can't do without: compressing the image.

The compressed write is everything that a user's write is: connect, stub, compressed blocks, MD5; its baseline is zlib at
level 9 over the same image, alone. The plain write through the stub sends every byte, and is measured in virtual seconds per
second: its baseline is a real board, on which they pass one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from zlib import compress

from benchmarks import workload
from benchmarks.measure import Sampler, Table, at_least, at_most, compare, in_turn, wall_s
from flashcore.image import Region
from flashcore.loader import Flasher, Options
from simulator.links.virtual import VirtualPort
from simulator.scenario import Scenario

BOARD = "ttgo-lora32-v1"
OFFSET = 0x10000
NS_PER_S = 1e9

_COMPRESSED, _ZLIB = "compressed write", "zlib.compress(image, 9)"
_PLAIN, _REAL = "plain write through the stub", "real time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How much to do.

    Args:
        size: Of the image, in bytes.
        rounds: How often.
    """

    size: int = workload.IMAGE_SIZE
    rounds: int = 7


def measure(setup: Setup) -> Table:
    """Measure and compare."""
    image = workload.half_random_image(setup.size)
    times: dict[str, Sampler] = {
        _COMPRESSED: lambda: wall_s(partial(write, image, compress=True)) * 1e3,
        _ZLIB: lambda: wall_s(partial(compress, image, 9)) * 1e3,
    }
    paces: dict[str, Sampler] = {_PLAIN: partial(_pace, image), _REAL: lambda: 1.0}
    rows = (
        compare(_COMPRESSED, "ms", in_turn(times, setup.rounds), _COMPRESSED, _ZLIB, at_most(2)),
        compare(_PLAIN, "virtual s/s", in_turn(paces, setup.rounds), _PLAIN, _REAL, at_least(200)),
    )
    title = f"writing a half-random image of {setup.size // workload.KIB} KiB into the virtual board, wall time"
    return Table(name="session", title=title, rows=rows)


def write(image: bytes, *, compress: bool) -> float:
    """Write `image` in one complete session and return the virtual seconds that it takes.

    Raises:
        AssertionError: The flash does not hold it afterwards, or no stub ran.
    """
    world = Scenario(board=BOARD).build()
    with Flasher.open(VirtualPort(world.device), Options()) as flasher:
        if flasher.info().loader != "stub":
            raise AssertionError("the session ran without a stub; is esptool, whose stub it takes, installed?")
        flasher.write([Region(offset=OFFSET, data=image)], compress=compress, force=True)
    assert world.board is not None
    if world.board.soc.flash.read(OFFSET, len(image)) != image:
        raise AssertionError("the session ended well, but the flash does not hold what was written")
    return world.device.kernel.now / NS_PER_S


def _pace(image: bytes) -> float:
    passed = 0.0

    def work() -> None:
        nonlocal passed
        passed = write(image, compress=False)

    seconds = wall_s(work)
    return passed / seconds
