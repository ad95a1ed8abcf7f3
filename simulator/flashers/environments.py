"""Environments with a flasher of one release each, made when first asked for.

Two releases of esptool cannot live in one environment, and what breaks one often spares the other. So each gets an
environment of its own in a cache folder, made by `venv` and `pip` of the Python that runs this. A stamp, written last,
names everything that the environment depends on: half-made, moved or outdated ones are made anew. A lock lets several
processes ask for the same one at once.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from flashcore.errors import FlashcoreError

STAMP = "made-for.json"
"""File in an environment that says that it is complete, and for what."""

STOP_S = 5.0
"""How long pip may take to clean up when it is interrupted, in seconds."""

_STEPS = {
    "Collecting": "looking up",
    "Processing": "taking",
    "Downloading": "fetching",
    "Building": "building",
    "Installing": "installing",
}
_SHOWN = re.compile(r"^\s*(Collecting|Processing|Downloading|Building|Installing) (.+)")
_OFFLINE = re.compile(
    r"from versions: none"
    r"|Max retries exceeded"
    r"|NewConnectionError|ConnectTimeoutError|ReadTimeoutError|ProxyError"
    r"|name resolution|Name or service not known|Network is unreachable|Connection (refused|reset|broken)",
)
_PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input", "--retries", "2", "--timeout", "60")


class FlasherEnvironmentError(FlashcoreError):
    """An environment for a flasher cannot be made."""

    code = "simulator.environment"


def environment(
    release: str,
    cache: Path,
    *,
    package: str = "esptool",
    instead: tuple[str, ...] = (),
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Return the interpreter of an environment that has `release` of a flasher, made now if there is none.

    The programs lie beside it, esptool's as ``esptool.py`` for every release and ``esptool`` from 5.0 on.

    Args:
        release: Exact version, for example ``"3.3"``.
        cache: Folder in which the environments are kept.
        package: The flasher's name in the index of packages.
        instead: What is installed in place of all that the package requires by itself; nothing is replaced by default.
        progress: Takes a few words about each step while one is made.

    Raises:
        FlasherEnvironmentError: The index of packages cannot be reached, there is no such release, or making it fails.
    """
    say = progress or _silent
    folder = cache.resolve() / f"{package}-{release}"
    python = folder / "bin" / "python"
    wanted = {package: release, "python": sys.version.split()[0], "folder": str(folder)}
    requirements = [f"{package}=={release}", *instead]
    if instead:
        wanted["instead"] = " ".join(instead)
        requirements.insert(0, "--no-deps")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_name(folder.name + ".lock")):
            if not _complete(folder, wanted, python):
                _make(folder, python, f"{package} {release}", requirements, say)
                (folder / STAMP).write_text(json.dumps(wanted), encoding="utf-8")
    except OSError as error:
        raise FlasherEnvironmentError(f"cannot make an environment for {package} {release} in {cache}: {error}") from error
    return python


def _complete(folder: Path, wanted: dict[str, str], python: Path) -> bool:
    try:
        made = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    # The link to the base interpreter dangles after that was removed.
    return bool(made == wanted) and python.exists()


def _make(folder: Path, python: Path, name: str, requirements: list[str], say: Callable[[str], None]) -> None:
    say("making a virtual environment")
    own_pip = importlib.util.find_spec("pip") is not None
    try:
        venv.EnvBuilder(clear=True, symlinks=True, with_pip=not own_pip).create(folder)
    except subprocess.CalledProcessError as error:
        raise FlasherEnvironmentError(
            f"this Python makes virtual environments without pip: {error}",
            hint="install its venv package (Debian: apt install python3-venv)",
        ) from error
    # Our own pip serves the new environment too, which saves installing one there.
    words = [sys.executable, *_PIP, "--python", str(python)] if own_pip else [str(python), *_PIP]
    lines = _run([*words, "install", "--progress-bar", "off", *requirements], say)
    if lines is not None:
        raise _failure(name, lines)


def _run(words: list[str], say: Callable[[str], None]) -> list[str] | None:
    """Run pip and pass on what it is doing; return all its output if it fails."""
    lines: list[str] = []
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", process_group=0
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                lines.append(line.rstrip())
                shown = _SHOWN.match(line)
                if shown:
                    say(f"{_STEPS[shown[1]]} {shown[2].split(' (')[0].rpartition('/')[2]}")
        except BaseException:
            _stop(process)
            raise
    return lines if process.returncode else None


def _stop(process: subprocess.Popen[str]) -> None:
    """End pip and the pips that it has started for building; as on a Ctrl-C it then takes its own folders away."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)


def _failure(name: str, lines: list[str]) -> FlasherEnvironmentError:
    text = "\n".join(lines)
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    detail = errors[0] if errors else (lines[-1] if lines else "pip said nothing")
    if _OFFLINE.search(text):
        return FlasherEnvironmentError(
            f"{name} is needed and cannot be installed: the Python package index is out of reach ({detail})",
            hint="connect to the network and try again; it is needed only once, the environment is kept",
            code="simulator.environment.offline",
        )
    return FlasherEnvironmentError(
        f"pip could not install {name}: {detail}", hint="pip's last lines: " + " / ".join(lines[-3:])
    )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _silent(text: str) -> None:
    """Say nothing."""
