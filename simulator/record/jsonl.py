"""Transcripts as JSON Lines: one event per line, bytes as hexadecimal, text as text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from flashcore.errors import ScenarioError
from flashcore.whole_file import WholeFile
from simulator.record.events import Event

BYTE_KINDS = frozenset({"h2d", "d2h"})
"""Kinds whose content is bytes from the wire; all others are text."""


def to_line(event: Event) -> str:
    """Return the event as one line of JSON, without the line break."""
    text = event.content.hex() if event.kind in BYTE_KINDS else event.content.decode("utf-8", "replace")
    return json.dumps({"t_ns": event.at_ns, "kind": event.kind, "data": text})


def from_line(line: str) -> Event:
    """Return the event that a line stands for.

    Raises:
        ScenarioError: The line is not an event.
    """
    try:
        raw = json.loads(line)
        at_ns, kind, data = int(raw["t_ns"]), str(raw["kind"]), str(raw["data"])
        return Event(at_ns, kind, bytes.fromhex(data) if kind in BYTE_KINDS else data.encode())
    except (ValueError, KeyError, TypeError) as error:
        raise ScenarioError(f"not a line of a transcript: {line[:80]!r} ({error})") from error


def write(path: Path, events: Iterable[Event]) -> None:
    """Write a transcript; the file appears whole or not at all."""
    with WholeFile(path) as file:
        for event in events:
            file.write(f"{to_line(event)}\n".encode())
        file.keep()


def read(path: Path) -> Iterator[Event]:
    """Yield the events of a transcript.

    Raises:
        ScenarioError: The file is missing, or a line of it is not an event.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                yield from_line(line)
    except OSError as error:
        raise ScenarioError(f"cannot read the transcript {path}: {error.strerror}") from error
