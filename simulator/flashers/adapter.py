"""The seam between a campaign and a flasher: a task goes in, a result comes out, and the adapter knows how it is done.

All of it is plain data that travels to other processes as JSON. What a flasher says of itself (exit status, messages) is kept
apart from the evidence, which comes from the world that it worked on: the flash array, the clock, the faults that struck.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from simulator.flashers.job import FaultOutcome
from simulator.scenario import Scenario

if TYPE_CHECKING:
    from simulator.record.ladder import Step

_RUN = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Bytes for one place of the flash, made from a seed so that a case needs no file.

    Args:
        offset: Where they go, a multiple of 4096.
        size: How many, in bytes.
        seed: Which ones.
    """

    offset: int
    size: int
    seed: int = 0

    def data(self) -> bytes:
        """Return the bytes, which compress to about half: runs of random ones between repeated text."""
        name = f"campaign image {self.seed} ".encode()
        random = hashlib.shake_256(name).digest((self.size // (2 * _RUN) + 1) * _RUN)
        filler = (name * (_RUN // len(name) + 1))[:_RUN]
        return b"".join(filler + random[start : start + _RUN] for start in range(0, len(random), _RUN))[: self.size]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thing for a flasher to do: write these images to that board.

    Args:
        scenario: The world.
        images: What goes where.
        limit_s: Virtual seconds after which the flasher counts as hanging.
    """

    scenario: Scenario
    images: tuple[Image, ...]
    limit_s: float = 3600.0

    def to_json(self) -> str:
        """Return the task as JSON."""
        return json.dumps(
            {
                "scenario": self.scenario.to_json(),
                "images": [asdict(image) for image in self.images],
                "limit_s": self.limit_s,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Task:
        """Return the task that `to_json` wrote."""
        raw = json.loads(text)
        return cls(
            scenario=Scenario.from_json(raw["scenario"]),
            images=tuple(Image(**image) for image in raw["images"]),
            limit_s=float(raw["limit_s"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the world shows after a run, whatever the flasher says.

    Args:
        virtual_s: How long the run was, in seconds of the world.
        holds: Whether every image is in flash, byte for byte.
        astray: Whether flash outside the images' sectors changed.
        recoverable: Whether a clean session could flash the board afterwards; ``None`` where that was not tried, or where
            no session can flash this board.
        faults: What became of the planned faults.
        gaps: Where the model did not know what the real thing does.
        frames_to_device: Frames that the host sent.
        frames_to_host: Frames that reached the host.
        ladder: What happened on the line, in short; empty unless the scenario says that events are to be kept.
    """

    virtual_s: float
    holds: bool
    astray: bool
    recoverable: bool | None = None
    faults: tuple[FaultOutcome, ...] = ()
    gaps: tuple[str, ...] = ()
    frames_to_device: int = 0
    frames_to_host: int = 0
    ladder: tuple[Step, ...] = ()

    @property
    def exercised(self) -> bool:
        """Whether every planned fault struck as it was meant to."""
        return all(fault.exercised for fault in self.faults)

    @property
    def fired(self) -> int:
        """How often faults struck in all."""
        return sum(fault.fired for fault in self.faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a task.

    Args:
        status: Exit status as a shell reports it.
        messages: All that the flasher printed.
        evidence: What the world shows.
        traceback: Whether it ended in an error that it did not handle.
        hung: Whether it waited for something that never comes, and was ended.
        problem: What the simulator itself could not do; such a run says nothing about the flasher. Empty if all went well.
    """

    status: int
    messages: str
    evidence: Evidence
    traceback: bool = False
    hung: bool = False
    problem: str = ""

    def to_json(self) -> str:
        """Return the result as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Result:
        """Return the result that `to_json` wrote."""
        return cls.from_fields(json.loads(text))

    @classmethod
    def from_fields(cls, raw: Mapping[str, object]) -> Result:
        """Return the result with these fields, as JSON has them.

        Raises:
            ValueError: They are not those of a result.
        """
        from simulator.record.ladder import Step

        fields: dict[str, Any] = dict(raw)
        try:
            shown = dict(fields.pop("evidence"))
            shown["faults"] = tuple(FaultOutcome(**item) for item in shown["faults"])
            shown["gaps"] = tuple(shown["gaps"])
            shown["ladder"] = tuple(Step.from_fields(item) for item in shown.get("ladder", ()))
            return cls(evidence=Evidence(**shown), **fields)
        except (KeyError, TypeError) as error:
            raise ValueError(f"these are not the fields of a result: {error}") from error


NOTHING = Evidence(virtual_s=0.0, holds=False, astray=False)
"""Evidence of a run whose world was lost."""


class Adapter(Protocol):
    """How one flasher is run. Adapters are plain data too, so that a pool of processes can be given them."""

    @property
    def name(self) -> str:
        """What the user calls it, for example ``esptool@4.8.1``."""
        ...

    @property
    def version(self) -> str:
        """Its release."""
        ...

    @property
    def shard(self) -> int:
        """How many tasks make a piece of work of half a second or more."""
        ...

    def run(self, tasks: Sequence[Task]) -> Iterator[Result]:
        """Carry out `tasks`, each in a world of its own, and yield their results in order.

        Raises:
            FlashcoreError: The flasher cannot be started, or a world cannot be built.
        """
        ...
