"""esptool-js in Node as a flasher among others, and the folder with its packages that npm makes for it."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from simulator.flashers.abilities import Abilities, Link
from simulator.flashers.adapter import Result
from simulator.flashers.environments import FlasherEnvironmentError
from simulator.flashers.images import content, file_of
from simulator.flashers.real_time import Started, run_real
from simulator.flashers.task import Task

RELEASE = "0.7.0"
"""The release that ``esptool-js`` means."""
SOCKETS = "8.18.3"
"""Release of the package ``ws``, by which Node reaches the board."""
OLDEST = 20
"""Node's first major version that has what serial.js needs."""
WALL_S = 240.0
"""Seconds after which a session is ended: esptool-js waits 100 s for a packet of a read, and 120 s for the erase of a chip."""

_WEB = Path(__file__).parents[1] / "web"


@dataclass(frozen=True, slots=True, kw_only=True)
class EsptoolJsAdapter:
    """Runs one release of esptool-js.

    Args:
        name: What the user calls it.
        version: Its release.
        node: Path of Node.
        modules: Folder with its packages.
    """

    name: str
    version: str
    node: str
    modules: str

    @property
    def shard(self) -> int:
        """How many tasks make a piece of work of half a second or more."""
        return 1

    @property
    def abilities(self) -> Abilities:
        """What it can be asked for. A port is chosen in a browser's dialog, and a part of the flash it cannot erase."""
        return Abilities(link=Link.WEBSOCKET, finds_port=False, erases_part=False, wall_s=WALL_S)

    def run(self, tasks: Sequence[Task]) -> Iterator[Result]:
        """Carry out `tasks` and yield their results in order.

        Raises:
            CommandError: Node cannot be started.
            ScenarioError: A world cannot be built, or the library for WebSockets is not installed.
        """
        for task in tasks:
            with tempfile.TemporaryDirectory(prefix="espsim-") as name:
                yield run_real(task, self.abilities, lambda port, task=task, name=name: self._start(task, port, Path(name)))  # type: ignore[misc]

    def _start(self, task: Task, port: str, folder: Path) -> Started:
        job, result = folder / "job.json", folder / "result.json"
        reads = task.job.action == "read"
        places = [
            {
                "address": image.offset,
                "size": len(image.data()),
                "file": str(folder / f"read-{number}.bin" if reads else file_of(image, folder)),
            }
            for number, image in enumerate(task.job.images)
        ]
        job.write_text(json.dumps({"action": task.job.action, "baud": task.job.baud, "places": places}), encoding="utf-8")
        words = [self.node, str(_WEB / "flash.mjs"), port, self.modules, str(_WEB / "serial.js"), str(job), str(result)]
        files = [str(place["file"]) for place in places] if reads else []
        return Started(commands=[words], read=lambda: content(files), errors=lambda: _errors(result))


def _errors(result: Path) -> tuple[str, ...]:
    try:
        error = json.loads(result.read_text(encoding="utf-8"))["error"]
    except (OSError, ValueError):
        return ()
    return (str(error),) if error else ()


def esptool_js(name: str, release: str, cache: Path, progress: Callable[[str], None] | None = None) -> EsptoolJsAdapter:
    """Return the adapter for a release of esptool-js, its packages installed now if they are not there.

    Args:
        name: What the user calls it.
        release: Exact version.
        cache: Folder in which environments are kept.
        progress: Takes a few words about each step.

    Raises:
        FlasherEnvironmentError: There is no Node, an old one, or npm cannot install.
    """
    node = shutil.which("node")
    if node is None:
        raise FlasherEnvironmentError("esptool-js needs Node, and there is none", hint=f"install Node {OLDEST} or newer")
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    number = re.search(r"\d+", said)
    if number is None or int(number[0]) < OLDEST:
        raise FlasherEnvironmentError(f"esptool-js needs Node {OLDEST} or newer, this is {said.strip() or 'none'}")
    folder = cache.resolve() / f"esptool-js-{release}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with folder.with_name(folder.name + ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _install(folder, {"esptool-js": release, "ws": SOCKETS}, progress or (lambda text: None))
    except OSError as error:
        raise FlasherEnvironmentError(f"cannot make an environment for esptool-js {release} in {cache}: {error}") from error
    return EsptoolJsAdapter(name=name, version=release, node=node, modules=str(folder))


def _install(folder: Path, packages: dict[str, str], say: Callable[[str], None]) -> None:
    wanted = json.dumps({"name": "espsim-esptool-js", "private": True, "type": "module", "dependencies": packages})
    manifest, stamp = folder / "package.json", folder / "complete"
    if stamp.exists() and manifest.read_text(encoding="utf-8") == wanted:
        return
    npm = shutil.which("npm")
    if npm is None:
        raise FlasherEnvironmentError("esptool-js needs npm, and there is none", hint="install npm beside Node")
    stamp.unlink(missing_ok=True)
    manifest.write_text(wanted, encoding="utf-8")
    say(f"fetching esptool-js {packages['esptool-js']}")
    options = ("--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    done = subprocess.run([npm, "install", *options], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        offline = re.search(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|network", done.stderr)
        raise FlasherEnvironmentError(
            f"npm cannot install esptool-js {packages['esptool-js']}: {lines[0] if lines else 'it says nothing'}",
            hint="connect to the network and try again; it is needed only once" if offline else "",
            code="simulator.environment.offline" if offline else None,
        )
    stamp.touch()
