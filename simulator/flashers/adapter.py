"""The seam between a campaign and a flasher: a task goes in, a result comes out, and the adapter knows how it is done.

All of it is plain data that travels to other processes as JSON. What a flasher says of itself (exit status, messages) is kept
apart from the evidence, which comes from the world that it worked on: the flash array, the clock, the faults that struck.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from simulator.flashers.abilities import Abilities
from simulator.flashers.job import FaultOutcome
from simulator.flashers.task import Task

if TYPE_CHECKING:
    from simulator.record.ladder import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the world shows after a run, whatever the flasher says.

    Args:
        virtual_s: How long the run was, in seconds of the world.
        struck_s: When a fault struck first, in seconds of the world; ``None`` if none did.
        holds: Whether flash is as the job wants it: every image byte for byte, or blank where it was to be erased.
        astray: Whether flash outside the images' sectors changed.
        touched: Whether flash changed at all.
        boots: Whether the board starts an app when it is reset; ``None`` where the job does not ask for that.
        runs: Whether an app was running at the end; ``None`` where the job does not ask for that.
        read_back: Whether what the flasher read is what the flash holds; ``None`` where it was not asked to read.
        left: What the flasher left behind that keeps others from using the board: lines that hold the chip, an open port.
        recoverable: Whether a clean session could flash the board afterwards; ``None`` where that was not tried, or where
            no session can flash this board.
        faults: What became of the planned faults.
        gaps: Where the model did not know what the real thing does.
        frames_to_device: Frames that the host sent.
        frames_to_host: Frames that reached the host.
        bytes_to_device: Bytes that the host sent.
        bytes_to_host: Bytes that reached the host.
        passed_to_device: Command and size of each frame that the host sent; empty where faults were planned.
        passed_to_host: The same of the frames that reached the host.
        line_edges: Changes of the modem lines that the host asked for.
        flash_ops: Operations that changed cells or status of the flash.
        ladder: What happened on the line, in short; empty unless the scenario says that events are to be kept.
    """

    virtual_s: float
    struck_s: float | None = None
    holds: bool
    astray: bool
    touched: bool = False
    boots: bool | None = None
    runs: bool | None = None
    read_back: bool | None = None
    left: tuple[str, ...] = ()
    recoverable: bool | None = None
    faults: tuple[FaultOutcome, ...] = ()
    gaps: tuple[str, ...] = ()
    frames_to_device: int = 0
    frames_to_host: int = 0
    bytes_to_device: int = 0
    bytes_to_host: int = 0
    passed_to_device: tuple[tuple[int, int], ...] = ()
    passed_to_host: tuple[tuple[int, int], ...] = ()
    line_edges: int = 0
    flash_ops: int = 0
    ladder: tuple[Step, ...] = ()

    @property
    def after_fault_s(self) -> float | None:
        """How long the flasher went on after a fault had struck first, in seconds of the world."""
        return None if self.struck_s is None else max(0.0, self.virtual_s - self.struck_s)

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
        status: Exit status as a shell reports it, of the last session.
        messages: All that the flasher printed in the last session.
        errors: What of that it called an error, where it says so: by its logger, or in JSON.
        earlier: The same of the sessions before, one each.
        evidence: What the world shows.
        traceback: Whether a session ended in an error that it did not handle.
        hung: Whether it waited for something that never comes, and was ended.
        problem: What the simulator itself could not do; such a run says nothing about the flasher. Empty if all went well.
        skipped: Why the flasher was not even started; empty if it was.
    """

    status: int
    messages: str
    evidence: Evidence
    errors: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()
    traceback: bool = False
    hung: bool = False
    problem: str = ""
    skipped: str = ""

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
            for name in ("passed_to_device", "passed_to_host"):
                shown[name] = tuple((command, size) for command, size in shown[name])
            for name in ("gaps", "left"):
                shown[name] = tuple(shown[name])
            shown["ladder"] = tuple(Step.from_fields(item) for item in shown.get("ladder", ()))
            errors, earlier = tuple(fields.pop("errors")), tuple(fields.pop("earlier"))
            return cls(evidence=Evidence(**shown), errors=errors, earlier=earlier, **fields)
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

    @property
    def abilities(self) -> Abilities:
        """What it can be asked for."""
        ...

    def run(self, tasks: Sequence[Task]) -> Iterator[Result]:
        """Carry out `tasks`, each in a world of its own, and yield their results in order.

        Raises:
            FlashcoreError: The flasher cannot be started, or a world cannot be built.
        """
        ...
