"""One case: a flasher, a board, what goes wrong, and the job. Plain data whose hash is its name.

Two cases with the same id are the same run, in every process and on every machine, so results can be kept and compared. What
suite a case was made for, and what reports call it, is no part of the run.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from simulator.faults import presets
from simulator.flashers.task import Job, Task, usual_image
from simulator.scenario import Scenario

CLEAN = "clean"
"""Preset name of the run without faults that each campaign starts with."""

DEFAULT_BOARD = "esp32-devkitc"

_LABELS = ("suite", "preset")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One run of a campaign.

    Args:
        flasher: Name of the flasher.
        suite: What the case belongs to.
        preset: Name of the fault preset, of the kind of fault in a sweep, or `CLEAN`.
        board: Name of the board preset.
        seed: The run's only randomness.
        faults: The faults: text forms, or names of presets.
        job: What the flasher is to do.
        transient: Whether the flasher is expected to get over it.
        accept: Patterns of which a right diagnosis matches one; empty where any honest failure will do.
    """

    flasher: str
    suite: str
    preset: str
    board: str = DEFAULT_BOARD
    seed: int = 0
    faults: tuple[str, ...] = ()
    job: Job
    transient: bool = True
    accept: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Its name: 16 hexadecimal characters that depend on all of the run, and on what the named presets say."""
        fields = {name: value for name, value in asdict(self).items() if name not in _LABELS}
        fields["presets"] = [presets.fingerprint(name) for name in self.faults if ":" not in name]
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @property
    def clean(self) -> Case:
        """The same job without anything that goes wrong, whose time this one is measured against."""
        return replace(self, preset=CLEAN, faults=(), transient=True, accept=())

    def task(self, limit_s: float) -> Task:
        """Return what the flasher's adapter is given.

        Args:
            limit_s: Virtual seconds after which the flasher counts as hanging.
        """
        scenario = Scenario(board=self.board, faults=self.faults, seed=self.seed)
        return Task(scenario=scenario, job=self.job, limit_s=limit_s)

    def repeat(self) -> str:
        """Return the command that repeats the case: its job is that of a preset among its faults, or made by `Job.of_size`."""
        words = ["espsim", "score", self.flasher, "--board", self.board, "--seed", str(self.seed)]
        if self.job.images == (usual_image(self.job.size, self.seed),):
            words += ["--size", str(self.job.size)]
        if self.job.used:
            words += ["--used"]
        for fault in self.faults:
            words += ["--fault", fault]
        return shlex.join(words)

    def to_fields(self) -> dict[str, object]:
        """Return the case as JSON has it."""
        return asdict(self)

    @classmethod
    def from_fields(cls, raw: Mapping[str, object]) -> Case:
        """Return the case with these fields, as JSON has them.

        Raises:
            ValueError: They are not those of a case.
        """
        fields: dict[str, Any] = dict(raw)
        try:
            job = Job.from_fields(fields.pop("job"))
            faults, accept = tuple(fields.pop("faults")), tuple(fields.pop("accept"))
            return cls(job=job, faults=faults, accept=accept, **fields)
        except (KeyError, TypeError) as error:
            raise ValueError(f"these are not the fields of a case: {error}") from error
