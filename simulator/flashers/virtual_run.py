"""Running an unmodified Python flasher in virtual time: in a fresh interpreter of its own environment, behind our bootstrap."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import flashcore
import simulator
from simulator.clock import monotonic_ns
from simulator.flashers.child import ExitStatus, environment_with, running
from simulator.flashers.interpreter import CommandError, require_version, resolve
from simulator.flashers.job import Outcome, Request
from simulator.preload.port_list import SYSFS

BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
"""The file with which the flasher's interpreter starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A run that is over.

    Args:
        status: Exit status for ``espsim run``.
        outcome: What the world came to, or ``None`` if CMD was ended so hard that it could not say.
        wall_s: How long CMD ran, in seconds of the machine's time.
        timed_out: Whether CMD was ended because its time was up.
    """

    status: int
    outcome: Outcome | None
    wall_s: float
    timed_out: bool


def with_port(words: Sequence[str], port: str) -> list[str]:
    """Return `words` with `port` in place of each ``{port}``."""
    return [word.replace("{port}", port) for word in words]


def run_virtual(words: Sequence[str], request: Request, *, timeout_s: float | None) -> Finished:
    """Run CMD in virtual time.

    Args:
        words: CMD, with ``{port}`` where the port's name belongs.
        request: The world, and what to keep of it.
        timeout_s: How long CMD may take, in seconds of the machine's time; ``None`` for as long as it likes.

    Everything about the world is checked by the process that builds it, so that the world's modules are loaded only there.

    Raises:
        CommandError: CMD cannot be started in virtual time.
        ScenarioError: The same, and the world could not be built either.
    """
    url = f"sim://{request.scenario.board}"
    try:
        command = resolve(with_port(words, url))
        require_version(command.interpreter)
    except CommandError:
        request.check()
        raise
    with tempfile.TemporaryDirectory(prefix="espsim-") as folder:
        job, answer = Path(folder, "job.json"), Path(folder, "outcome.json")
        job.write_text(
            json.dumps(
                {
                    "folders": {item.__name__: str(Path(str(item.__file__)).parent) for item in (flashcore, simulator)},
                    "kind": command.kind,
                    "target": command.target,
                    "argv": command.argv,
                    "name": request.scenario.board,
                    "request": request.to_json(),
                    "outcome": str(answer),
                    "host": folder,
                }
            ),
            encoding="utf-8",
        )
        start = monotonic_ns()
        with running(
            [*command.interpreter, str(BOOTSTRAP), str(job)], environment_with(url, {SYSFS: str(Path(folder, "sys"))})
        ) as child:
            in_time = child.wait(timeout_s)
        status = child.close()
        wall_s = (monotonic_ns() - start) / 1e9
        return Finished(
            status=status if in_time else ExitStatus.TIMEOUT,
            outcome=_read(answer),
            wall_s=wall_s,
            timed_out=not in_time,
        )


def _read(path: Path) -> Outcome | None:
    try:
        return Outcome.from_json(path.read_text("utf-8"))
    except (OSError, ValueError, KeyError):
        return None
