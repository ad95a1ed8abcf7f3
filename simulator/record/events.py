"""The journal of a run: every event in order, their number, and one hash over all of them.

Two runs are the same run if their hashes are equal. The hash covers time, kind and content of each event; the events themselves
are kept only when somebody wants to read them afterwards.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from struct import Struct

_HEAD = Struct("<QBI")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Args:
        at_ns: When, in nanoseconds of the run.
        kind: ``h2d`` and ``d2h`` for bytes as the host wrote them and as they reach it; ``lines``, ``baud``, ``open``,
            ``close``; ``chip`` for resets and modes; ``fault`` for faults that fired; ``gap`` where the model does not know
            what the real thing does.
        content: The bytes, or text in UTF-8.
    """

    at_ns: int
    kind: str
    content: bytes


class Journal:
    """Collects the events of one run.

    Args:
        keep: Whether to keep the events for a transcript.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self.events: list[Event] = []
        self.gaps: list[str] = []
        """Places where the model did not know what the real thing does."""
        self.first_fault_ns: int | None = None
        """When a fault struck first."""
        self.count = 0
        self._keep = keep
        self._hash = hashlib.blake2b(digest_size=16)

    def __call__(self, at_ns: int, kind: str, content: bytes) -> None:
        """Take one event."""
        name = kind.encode()
        self._hash.update(_HEAD.pack(at_ns, len(name), len(content)) + name)
        self._hash.update(content)
        self.count += 1
        if kind == "gap":
            self.gaps.append(content.decode("utf-8", "replace"))
        if kind == "fault" and self.first_fault_ns is None:
            self.first_fault_ns = at_ns
        if self._keep:
            self.events.append(Event(at_ns, kind, bytes(content)))

    def digest(self) -> str:
        """Return the hash over all events so far, as 32 hexadecimal characters."""
        return self._hash.hexdigest()
