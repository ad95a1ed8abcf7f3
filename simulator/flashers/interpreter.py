"""Finding the Python interpreter behind a command line, and what it would run.

A flasher in virtual time runs in its own interpreter with our bootstrap in front, so the command must be taken apart: a console
script leads to its interpreter through its first line (or through the ``/bin/sh`` trampoline that installers write where that
line would be too long), ``python script.py`` and ``python -m module`` name it themselves. Everything else is no Python program
as far as can be seen from outside, and gets an error with the way out.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flashcore.errors import ScenarioError

OLDEST = (3, 11)
"""The oldest Python that can run the virtual world."""

_TRAMPOLINE = re.compile(rb"^'''exec' (.+) \"\$0\" \"\$@\"\s*$")
_PYTHON_NAME = re.compile(r"^(python|pypy)[0-9.]*(\.exe)?$")
_WITH_VALUE = frozenset("WX")
_BESIDE_SCRIPT = re.compile(r"\"?\$\(dirname -- \"?\$\(realpath -- \"?\$0\"?\)\"?\)\"?/")
_PROBE = "import sys; print(*sys.version_info[:2])"


class CommandError(ScenarioError):
    """CMD cannot be started in virtual time."""

    code = "simulator.command"


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonCommand:
    """A command line taken apart.

    Args:
        interpreter: Path of the interpreter, with options of its own behind it.
        kind: Whether `target` is a file, a module's name, or code.
        target: What is run.
        argv: Its arguments.
    """

    interpreter: tuple[str, ...]
    kind: Literal["script", "module", "code"]
    target: str
    argv: tuple[str, ...]


def resolve(words: Sequence[str]) -> PythonCommand:
    """Take the command line `words` apart.

    Raises:
        CommandError: The first word cannot be found, or does not lead to a Python program.
    """
    path = locate(words[0])
    if _PYTHON_NAME.match(Path(words[0]).name):
        return _of_interpreter(path, words[1:])
    interpreter = _interpreter_of(Path(path))
    if interpreter is None:
        raise CommandError(
            f"{words[0]} is no Python program as far as its first line tells, so it cannot run in virtual time",
            hint="use --link pty, or name the interpreter: python SCRIPT ..., python -m MODULE ...",
        )
    return PythonCommand(interpreter=interpreter, kind="script", target=path, argv=tuple(words[1:]))


def locate(word: str) -> str:
    """Return the path of the program `word`, as a shell would find it.

    Raises:
        CommandError: There is none, or it must not be executed.
    """
    found = shutil.which(word)
    if found is not None:
        return os.path.abspath(found)
    if os.sep in word and os.path.exists(word):
        raise CommandError(f"cannot start {word}: it is not executable", hint="chmod +x, or name its interpreter")
    where = "there is no such file" if os.sep in word else "it is not on PATH"
    raise CommandError(f"cannot start {word}: {where}", hint="give its path, for example .venv/bin/esptool")


def require_version(interpreter: Sequence[str]) -> None:
    """Check that the interpreter is new enough.

    Raises:
        CommandError: It is older than `OLDEST`, or does not run.
    """
    if os.path.realpath(interpreter[0]) == os.path.realpath(sys.executable):
        return
    try:
        done = subprocess.run(
            [interpreter[0], "-I", "-S", "-c", _PROBE], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandError(f"cannot start the interpreter {interpreter[0]}: {error}") from error
    numbers = re.search(r"(\d+)[ .](\d+)", done.stdout)
    if numbers is None:
        shown = (done.stderr or done.stdout).strip().splitlines()
        raise CommandError(f"{interpreter[0]} does not run as a Python interpreter: {shown[-1] if shown else 'no answer'}")
    version = int(numbers[1]), int(numbers[2])
    if version < OLDEST:
        raise CommandError(
            f"{interpreter[0]} is Python {version[0]}.{version[1]}; virtual time needs {OLDEST[0]}.{OLDEST[1]} or newer",
            hint="install the flasher under a newer Python, or use --link pty",
        )


def _of_interpreter(path: str, words: Sequence[str]) -> PythonCommand:
    """Take the arguments of an interpreter apart."""
    options: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in ("-", "--version", "-V", "--help", "-h") or not word.startswith("-"):
            if word.startswith("-"):
                break
            script = Path(word)
            if not script.exists():
                raise CommandError(f"cannot start {path}: there is no script {word}")
            return PythonCommand(interpreter=(path, *options), kind="script", target=word, argv=tuple(rest))
        for letter, kind in (("m", "module"), ("c", "code")):
            head, found, tail = word.partition(letter)
            if found and re.fullmatch(r"-[bBdEhiIOPqsSuvx]*", head):
                if not tail and not rest:
                    raise CommandError(f"cannot start {path}: {word} needs an argument")
                if head != "-":
                    options.append(head)
                target = tail or rest.pop(0)
                return PythonCommand(
                    interpreter=(path, *options),
                    kind="module" if kind == "module" else "code",
                    target=target,
                    argv=tuple(rest),
                )
        options.append(word)
        if word[-1] in _WITH_VALUE and len(word) == 2 and rest:
            options.append(rest.pop(0))
    raise CommandError(f"{path} is given nothing to run", hint="name a script, or -m and a module")


def _interpreter_of(script: Path) -> tuple[str, ...] | None:
    """Return the interpreter that `script` asks for with its options, or ``None`` if that is no Python."""
    try:
        with script.open("rb") as file:
            first, second = file.readline(1024), file.readline(4096)
            beginning = first + second + file.read(2048)
    except OSError as error:
        raise CommandError(f"cannot start {script}: {error.strerror}") from error
    if not first.startswith(b"#!"):
        return None
    words = shlex.split(os.fsdecode(first[2:].strip()))
    if words and Path(words[0]).name == "env":
        words = [word for word in words[1:] if word != "-S"]
        while words and "=" in words[0]:
            words.pop(0)
        found = shutil.which(words[0]) if words else None
        if found is None:
            raise CommandError(f"cannot start {script}: its interpreter {words[0] if words else ''!r} is not on PATH")
        words[0] = found
    trampoline = _TRAMPOLINE.match(second)
    if words and Path(words[0]).name in ("sh", "bash", "dash") and trampoline:
        words = shlex.split(_BESIDE_SCRIPT.sub(str(script.resolve().parent) + "/", os.fsdecode(trampoline[1])))
    if words and _PYTHON_NAME.match(Path(words[0]).name):
        if not os.path.exists(words[0]):
            raise CommandError(
                f"cannot start {script}: its interpreter {words[0]} does not exist", hint="reinstall the program"
            )
        return tuple(words)
    if b"pyenv" in beginning:
        raise CommandError(
            f"{script} is a pyenv shim, which chooses an environment when it runs",
            hint=f'name the program itself: "$(pyenv which {script.name})"',
        )
    return None
