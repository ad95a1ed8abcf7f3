"""The stub loader's code, taken from an installed esptool at run time.

A stub is a small program that the ROM loads to RAM; it writes flash faster and erases what the ROM cannot. esptool ships its
stubs as JSON data files: entry point, and up to two segments in base64 with their addresses. They are read as data, esptool
itself is not imported. Two generations exist: 1 is the older one in C that all esptool releases know, 2 is esp-flasher-stub,
which esptool uses by default where it ships it as its first choice. Without an esptool there is no stub, and the ROM does all.
"""

from __future__ import annotations

import base64
import binascii
import json
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

from flashcore.errors import UsageError

GENERATIONS = (1, 2)

_NEW_STUB_TEXT = 0x400A8000
"""Where esp-flasher-stub lives on the ESP32 (docs/sources.md, What clients expect); an older second generation at
another address is not trusted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Bytes and where in RAM they go."""

    address: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StubImage:
    """A stub ready for upload.

    Args:
        generation: 1 or 2.
        entry: Address at which it starts.
        segments: What to load, in order.
        source: Where it was found, for messages.
    """

    generation: int
    entry: int
    segments: tuple[Segment, ...]
    source: str

    @property
    def size(self) -> int:
        """Bytes to be loaded."""
        return sum(len(segment.data) for segment in self.segments)


def parse(text: str, *, generation: int, source: str) -> StubImage:
    """Return the stub in the JSON document `text`.

    Raises:
        ValueError: It is no such document.
    """
    try:
        fields = json.loads(text)
        segments = [Segment(address=int(fields["text_start"]), data=base64.b64decode(fields["text"], validate=True))]
        if fields.get("data"):
            segments.append(Segment(address=int(fields["data_start"]), data=base64.b64decode(fields["data"], validate=True)))
        return StubImage(generation=generation, entry=int(fields["entry"]), segments=tuple(segments), source=source)
    except (KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise ValueError(f"{source} is no stub: {error}") from error


def folder() -> Path | None:
    """Return the folder of stubs of the installed esptool, or ``None`` if there is none."""
    # Behind a console script the folder of programs comes first on the path, and there esptool.py hides the package.
    specs = (find_spec("esptool"), *(PathFinder.find_spec("esptool", [entry]) for entry in sys.path))
    for spec in specs:
        for place in (spec.submodule_search_locations or []) if spec else []:
            stubs = Path(place) / "targets" / "stub_flasher"
            if stubs.is_dir():
                return stubs
    return None


def find(chip: str = "esp32", *, generation: int | None = None, stubs: Path | None = None) -> StubImage | None:
    """Return the stub for `chip` of the installed esptool, or ``None`` if there is none.

    Args:
        chip: Name as in the file names, for example ``esp32``.
        generation: Which one; by default the newest that is known to work.
        stubs: Folder to look in instead of the installed esptool's.

    Raises:
        UsageError: There is no such generation.
    """
    if generation is not None and generation not in GENERATIONS:
        raise UsageError(f"there is no stub generation {generation}", hint="choose 1 or 2")
    place = stubs or folder()
    if place is None:
        return None
    order = (generation,) if generation is not None else (2, 1)
    for number in order:
        for file in _files(place, chip, number):
            image = _read(file, number)
            if image is not None and (generation is not None or _trusted(image)):
                return image
    return None


def _files(place: Path, chip: str, generation: int) -> tuple[Path, ...]:
    modern = place / str(generation) / f"{chip}.json"
    return (modern, place / f"stub_flasher_{chip.removeprefix('esp')}.json") if generation == 1 else (modern,)


def _read(file: Path, generation: int) -> StubImage | None:
    try:
        return parse(file.read_text(encoding="utf-8"), generation=generation, source=file.name)
    except (OSError, ValueError):
        return None


def _trusted(image: StubImage) -> bool:
    return image.generation == 1 or (image.segments[0].address == _NEW_STUB_TEXT and image.entry > _NEW_STUB_TEXT + 0x1000)
