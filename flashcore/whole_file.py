"""A file that takes its name only when it is complete, so that an interrupted program leaves the old one, or none.

The bytes go to a temporary file in the same folder, which then replaces the old file. Only a regular file can be replaced so: a
device or a pipe (``/dev/null``, ``/dev/full``, a named pipe) would be lost for every program, so it is written to as it is,
and a symbolic link stays a link to what was written.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


class WholeFile:
    """A file that is being written. Use it as a context manager; without `keep` nothing is left.

    Args:
        path: Its name at the end.

    Raises:
        OSError: It cannot be written there.
    """

    def __init__(self, path: Path) -> None:
        try:
            before = path.stat().st_mode
        except FileNotFoundError:
            before = None
        self._temporary: Path | None = None
        if before is not None and not stat.S_ISREG(before):
            self._file = path.open("wb")
            return
        self._path = Path(os.path.realpath(path))
        self._mode = stat.S_IMODE(before) if before is not None else 0o666 & ~_umask()
        handle, name = tempfile.mkstemp(prefix=f".{self._path.name[:200]}.", dir=self._path.parent)
        self._temporary = Path(name)
        self._file = os.fdopen(handle, "wb")

    def write(self, data: bytes) -> None:
        """Write the next bytes.

        Raises:
            OSError: There is no room, for example.
        """
        self._file.write(data)

    def keep(self) -> None:
        """Give the file its name.

        Raises:
            OSError: The last bytes cannot be written, or the name cannot be given.
        """
        self._file.close()
        if self._temporary is not None:
            self._temporary.chmod(self._mode)
            self._temporary.replace(self._path)
            self._temporary = None

    def __enter__(self) -> WholeFile:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # what `keep` has not written is not wanted
            self._file.close()
        if self._temporary is not None:
            with suppress(OSError):
                self._temporary.unlink()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        OSError: It cannot be written.
    """
    with WholeFile(path) as file:
        file.write(content)
        file.keep()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
