"""What a flasher is asked to do: a job, and the world in which it is to be done. Plain data that travels as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from simulator.faults.presets.schema import Action, PortChoice, Success
from simulator.flashers.images import Image
from simulator.scenario import Scenario

USUAL_BAUD = 115200
"""Rate at which every flasher begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What the flasher is to do, and when that is done.

    Args:
        images: What goes where; for reading, what lies there; for erasing, which places.
        whole: Whether the whole flash is erased, and not the places of images.
        used: Whether a flash that is to be written holds something else there; one that is read or erased always does.
        action: What is done with them.
        baud: Rate that the flasher is told to use.
        port: Whether it is told the port's name, or must find it.
        sessions: How often it is started, one after the other in the same world; the last one counts.
        success: When a job of writing is done.
        untouched: Whether a flasher that refuses must leave the flash as it was.
    """

    images: tuple[Image, ...] = ()
    whole: bool = False
    used: bool = False
    action: Action = "write"
    baud: int = USUAL_BAUD
    port: PortChoice = "named"
    sessions: int = 1
    success: Success = "written"
    untouched: bool = False

    @classmethod
    def of_size(cls, size: int, seed: int = 0) -> Job:
        """Return the job of writing one image of `size` bytes where an app goes."""
        return cls(images=(usual_image(size, seed),))

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(image.size for image in self.images)

    @classmethod
    def from_fields(cls, raw: Mapping[str, object]) -> Job:
        """Return the job with these fields, as JSON has them.

        Raises:
            TypeError: They are not those of a job.
        """
        fields: dict[str, Any] = dict(raw)
        images = tuple(Image(**image) for image in fields.pop("images", ()))
        return cls(images=images, **fields)


def usual_image(size: int, seed: int = 0) -> Image:
    """Return an image of `size` bytes where an app goes."""
    return Image(offset=0x10000, size=size, seed=seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thing for a flasher to do: this job on that board.

    Args:
        scenario: The world.
        job: What is asked of it.
        limit_s: Virtual seconds after which the flasher counts as hanging.
    """

    scenario: Scenario
    job: Job
    limit_s: float = 3600.0

    def to_json(self) -> str:
        """Return the task as JSON."""
        return json.dumps({"scenario": self.scenario.to_json(), "job": asdict(self.job), "limit_s": self.limit_s})

    @classmethod
    def from_json(cls, text: str) -> Task:
        """Return the task that `to_json` wrote."""
        raw = json.loads(text)
        return cls(scenario=Scenario.from_json(raw["scenario"]), job=Job.from_fields(raw["job"]), limit_s=float(raw["limit_s"]))
