"""Regions: what goes where in flash, and how they come from files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from flashcore.errors import ImageError

MAX_FILE = 1 << 28
"""How much of a file is read, in bytes: more than any flash holds; ``/dev/zero`` and the like never end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Bytes for a place in flash.

    Args:
        offset: First byte in flash.
        data: The bytes.
        name: What to call it in messages, usually the file's path.
    """

    offset: int
    data: bytes = field(repr=False)
    name: str = "data"

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.data)

    @property
    def end(self) -> int:
        """First byte in flash behind it."""
        return self.offset + len(self.data)


def load_regions(pairs: Iterable[tuple[int, str | Path]]) -> tuple[Region, ...]:
    """Read the files and return the regions, in the order given.

    Args:
        pairs: Offset in flash and path of each file.

    Raises:
        ImageError: A file is missing (``image.not_found``), cannot be read or does not end (``image.unreadable``), or is empty
            (``image.empty``).
    """
    return tuple(Region(offset=offset, data=_read(Path(path)), name=str(path)) for offset, path in pairs)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ImageError(
            f"{path}: there is no such file, expected a firmware image",
            hint=_neighbour_hint(path),
            code="image.not_found",
            context={"path": str(path)},
        ) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ImageError(
            f"{path}: the file cannot be read: {reason}",
            hint="give the path of a readable file",
            code="image.unreadable",
            context={"path": str(path)},
        ) from error
    if len(data) > MAX_FILE:
        raise ImageError(
            f"{path}: the file is longer than {MAX_FILE >> 20} MB, which no flash holds",
            hint="give a firmware image (.bin)",
            code="image.unreadable",
            context={"path": str(path)},
        )
    if not data:
        raise ImageError(
            f"{path}: the file is empty, expected a firmware image",
            hint="the build or the download did not finish: make the file again",
            code="image.empty",
            context={"path": str(path)},
        )
    return data


def _neighbour_hint(path: Path) -> str:
    """Return a hint that names a file of nearly the same name, or what is wrong with the folder."""
    import difflib

    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    except OSError:
        return f"there is no folder {path.parent} either: check the path"
    nearest = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean {path.parent / nearest[0]}?" if nearest else "check the path, or build the firmware first"
