"""Giving many tasks to one Python interpreter of a flasher's own environment, in virtual time."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import flashcore
import simulator
from flashcore.errors import FlashcoreError
from simulator.flashers.adapter import Result

WORKER = Path(__file__).with_name("shard_worker.py")
"""The file with which the flasher's interpreter starts."""


class FlasherFailedError(FlashcoreError):
    """A flasher's interpreter could not carry out its tasks at all."""

    code = "simulator.flasher"


def run_shard(
    name: str,
    interpreter: Sequence[str],
    program: Mapping[str, str],
    items: Sequence[Mapping[str, object]],
    folder: Path,
    *,
    wall_s: float,
) -> Iterator[Result]:
    """Carry out `items` and yield their results in order.

    Args:
        name: What the user calls the flasher.
        interpreter: The interpreter, with options of its own.
        program: What it runs: ``kind``, ``target`` and ``function``, as `simulator.flashers.shard_worker` has them.
        items: The tasks, as it has them too.
        folder: For files that are passed on; it is the flasher's own too.
        wall_s: Seconds of the machine's time after which a task is ended; there for loops in which no virtual time passes.

    Raises:
        FlasherFailedError: The interpreter does not start, or has no such flasher.
    """
    results, job = folder / "results.jsonl", folder / "job.json"
    job.write_text(
        json.dumps(
            {
                "folders": {item.__name__: str(Path(str(item.__file__)).parent) for item in (flashcore, simulator)},
                **program,
                "name": "board",
                "results": str(results),
                "wall_s": round(wall_s),
                "tasks": items,
            }
        ),
        encoding="utf-8",
    )
    results.touch()
    done = subprocess.run(
        [*interpreter, str(WORKER), str(job)],
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    lines = results.read_text(encoding="utf-8").splitlines()
    if done.returncode or len(lines) != len(items):
        said = (done.stderr or done.stdout).strip().splitlines()
        raise FlasherFailedError(
            f"{name} did not carry out its tasks: {said[-1] if said else f'exit status {done.returncode}'}",
            hint=f"try {' '.join(interpreter)} -m {program['target']}" if program["kind"] != "script" else "",
        )
    # A folder's name is another in each run, and a task's number in its shard depends on how many shards there are.
    passing = re.compile(re.escape(str(folder)) + r"/(?:\d+/)?")
    yield from (Result.from_json(passing.sub("", line)) for line in lines)


def _environment() -> dict[str, str]:
    """Return our environment without what would make an esptool another than a stock one, and with what makes runs equal."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ESPTOOL")}
    return {**kept, "PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "COLUMNS": "200"}
