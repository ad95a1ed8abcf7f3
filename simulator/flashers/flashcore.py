"""flashcore as a flasher among others, in this process; and as the one that shows whether a board can still be flashed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import assert_never

from flashcore.approach import AUTO, reach
from flashcore.chips import SECTOR_SIZE
from flashcore.image import Region
from flashcore.loader import Flasher, Options
from simulator.flashers.abilities import Abilities, Link
from simulator.flashers.adapter import Result
from simulator.flashers.images import Image
from simulator.flashers.in_process import run_on_host
from simulator.flashers.task import Job, Task
from simulator.host.virtual_host import VirtualHost
from simulator.links.virtual import VirtualPort
from simulator.scenario import World


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashcoreAdapter:
    """Runs flashcore.

    Args:
        use_stub: Whether it may use the stub of an installed esptool.
    """

    use_stub: bool = True

    @property
    def name(self) -> str:
        """What the user calls it."""
        return "flashcore"

    @property
    def version(self) -> str:
        """Its release."""
        return metadata.version("flashcore")

    @property
    def shard(self) -> int:
        """How many tasks make a piece of work of half a second or more."""
        return 40

    @property
    def abilities(self) -> Abilities:
        """What it can be asked for."""
        return Abilities(link=Link.PROCESS)

    def run(self, tasks: Sequence[Task]) -> Iterator[Result]:
        """Carry out `tasks` and yield their results in order.

        Raises:
            ScenarioError: A world cannot be built.
        """
        for task in tasks:
            yield run_on_host(task, self._session)

    def _session(self, host: VirtualHost, job: Job, say: Callable[[str], None]) -> bytes | None:
        wanted = host.named if job.port == "named" and host.named else AUTO
        with reach(host, wanted, Options(use_stub=self.use_stub, baudrate=job.baud)) as flasher:
            try:
                return _work(flasher, job)
            finally:
                for finding in flasher.findings:
                    say(f"{finding.code}: {finding.text}")


def _work(flasher: Flasher, job: Job) -> bytes | None:
    match job.action:
        case "write":
            flasher.write(_regions(job.images))
        case "read":
            return b"".join(flasher.read(image.offset, len(image.data())) for image in job.images)
        case "erase" if job.whole:
            flasher.erase()
        case "erase":
            for image in job.images:
                flasher.erase(image.offset, -(-len(image.data()) // SECTOR_SIZE) * SECTOR_SIZE)
        case _:
            assert_never(job.action)
    return None


def rescue(world: World, images: Sequence[Image]) -> None:
    """Flash the board of `world` by the ROM loader alone.

    Raises:
        FlashcoreError: That cannot be done.
    """
    world.host.put_right()
    with Flasher.open(VirtualPort(world.device), Options(use_stub=False)) as flasher:
        flasher.write(_regions(images))


def _regions(images: Sequence[Image]) -> list[Region]:
    return [Region(offset=image.offset, data=image.data()) for image in images]
