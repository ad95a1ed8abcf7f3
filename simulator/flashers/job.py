"""What a run asks of the process that carries it out, and what comes back; both travel as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from flashcore.errors import ScenarioError
from flashcore.whole_file import write_whole
from simulator.scenario import Scenario, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """How a run is to be done and where its traces go.

    Args:
        scenario: The world.
        save_flash: File for the flash content at the end; empty for none.
        save_efuse: File for the chip's eFuses at the end; empty for none.
        transcript: File for the events; empty for none.
    """

    scenario: Scenario
    save_flash: str = ""
    save_efuse: str = ""
    transcript: str = ""

    def check(self) -> None:
        """Check what can be checked before anything is started.

        Raises:
            ScenarioError: The board is unknown, a file is missing, or a file to be written has no folder, or is one.
            PlanError: A fault is unknown or malformed.
        """
        self.scenario.check()
        for path in (self.save_flash, self.save_efuse, self.transcript):
            if path and not Path(path).parent.is_dir():
                raise ScenarioError(f"cannot write {path}: there is no such folder")
            if path and Path(path).is_dir():
                raise ScenarioError(f"cannot write {path}: it is a folder")

    def to_json(self) -> str:
        """Return the request as JSON."""
        return json.dumps(
            {
                "scenario": self.scenario.to_json(),
                "save_flash": self.save_flash,
                "save_efuse": self.save_efuse,
                "transcript": self.transcript,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Request:
        """Return the request that `to_json` wrote."""
        raw = json.loads(text)
        return cls(
            scenario=Scenario.from_json(raw["scenario"]),
            save_flash=str(raw["save_flash"]),
            save_efuse=str(raw["save_efuse"]),
            transcript=str(raw["transcript"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultOutcome:
    """What became of a planned fault.

    Args:
        name: As it was asked for.
        fired: How often it struck.
        exercised: Whether it struck as it was meant to.
    """

    name: str
    fired: int
    exercised: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run came to, apart from CMD's exit code.

    Args:
        virtual_s: How much time passed in the world, in seconds.
        events: How many events there were.
        digest: Hash over all events, 32 hexadecimal characters.
        faults: The planned faults.
        gaps: Where the model did not know what the real thing does.
        problems: What espsim itself could not do: write a file, end a wait that nothing would end.
    """

    virtual_s: float
    events: int
    digest: str
    faults: tuple[FaultOutcome, ...] = ()
    gaps: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return the outcome as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Outcome:
        """Return the outcome that `to_json` wrote."""
        raw = json.loads(text)
        return cls(
            virtual_s=float(raw["virtual_s"]),
            events=int(raw["events"]),
            digest=str(raw["digest"]),
            faults=tuple(FaultOutcome(**item) for item in raw["faults"]),
            gaps=tuple(raw["gaps"]),
            problems=tuple(raw["problems"]),
        )


def conclude(request: Request, world: World, problems: tuple[str, ...] = ()) -> Outcome:
    """Write the files that were asked for and return what the run came to.

    A file that cannot be written is a problem of the outcome, not an error: the run has happened.
    """
    found = list(problems)
    files: tuple[tuple[str, Callable[[Path], None]], ...] = (
        (request.save_flash, lambda path: write_whole(path, world.flash_image())),
        (request.save_efuse, lambda path: write_whole(path, world.efuse_image())),
        (request.transcript, lambda path: _save_transcript(path, world)),
    )
    for path, write in files:
        if path:
            try:
                write(Path(path))
            except OSError as error:
                found.append(f"cannot write {path}: {error.strerror}")
    return Outcome(
        virtual_s=world.device.kernel.now / 1e9,
        events=world.journal.count,
        digest=world.journal.digest(),
        faults=tuple(FaultOutcome(name=fault.name, fired=fault.fired, exercised=fault.exercised) for fault in world.planned),
        gaps=tuple(dict.fromkeys(world.journal.gaps)),
        problems=tuple(found),
    )


def _save_transcript(path: Path, world: World) -> None:
    from simulator.record import jsonl

    jsonl.write(path, world.journal.events)
