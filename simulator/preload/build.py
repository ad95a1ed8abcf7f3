"""Making the library of `lines.c` where it is needed, with the machine's own C compiler.

It is made once and kept in the user's cache folder under a name that follows from the source and the command, so a changed
source makes a new one. The finished file is moved into its place, so several processes may make it at once.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from flashcore.errors import FlashcoreError

SOURCE = Path(__file__).with_name("lines.c")
"""The library's source."""

OPTIONS = ("-std=gnu11", "-O2", "-shared", "-fPIC")
"""Options of the compiler."""

_SEPARATORS = re.compile(r"[\s:]")


class CompilerError(FlashcoreError):
    """The library cannot be made here."""

    code = "simulator.preload"


def library() -> Path:
    """Return the path of the library, made now if there is none.

    The compiler is ``CC``, or else ``cc``.

    Raises:
        CompilerError: This is not Linux, there is no compiler, it fails, or the cache folder cannot be used.
    """
    if sys.platform != "linux":
        raise CompilerError(
            "modem lines on a pty need Linux: elsewhere nothing can be preloaded into a client",
            hint="use --link virtual, or leave --lines out and let the client not reset (--before no-reset)",
        )
    command = (*_compiler(), *OPTIONS)
    source = SOURCE.read_bytes()
    key = hashlib.sha256("\0".join((*command, platform.machine(), "")).encode() + source).hexdigest()[:16]
    made = cache_folder() / f"lines-{key}.so"
    if _SEPARATORS.search(str(made)):
        raise CompilerError(
            f"{made} has a blank or a colon in it, which LD_PRELOAD takes for the end of the name",
            hint="name another cache folder: XDG_CACHE_HOME=/some/folder",
        )
    if not made.exists():
        try:
            made.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=made.parent, prefix="making-") as folder:
                partial = Path(folder, made.name)
                _compile([*command, "-o", str(partial), str(SOURCE), "-ldl"])
                partial.replace(made)
        except OSError as error:
            raise CompilerError(
                f"cannot keep the library for modem lines in {made.parent}: {error.strerror or error}",
                hint="name another cache folder: XDG_CACHE_HOME=/some/folder",
            ) from error
    return made


def cache_folder() -> Path:
    """Return our folder in the user's cache, whether it exists or not."""
    # The specification of XDG says that a relative path is to be ignored.
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(chosen) if os.path.isabs(chosen) else Path(os.path.expanduser("~"), ".cache")
    return base / "espsim"


def _compiler() -> tuple[str, ...]:
    words = shlex.split(os.environ.get("CC", "")) or ["cc"]
    found = shutil.which(words[0])
    if found is None:
        raise CompilerError(
            f"modem lines on a pty need a C compiler, and there is no {words[0]} on PATH",
            hint="install one (Debian: apt install gcc libc6-dev) or name it: CC=clang; "
            "or use --link virtual, which has modem lines by itself",
        )
    return (found, *words[1:])


def _compile(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        first = next((line for line in lines if "error" in line), lines[-1])
        raise CompilerError(
            f"{command[0]} could not compile the library for modem lines: {first}",
            hint="its headers may be missing (Debian: apt install libc6-dev linux-libc-dev)",
        )
