"""What a target is, and what it says of an input."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is told of an input that broke nothing.

    Args:
        mark: Checksum of all that was answered, to compare two runs.
        footprint: Bytes in buffers where they were counted, else 0.
        queue: Most actions that waited at one time.
        compared: Answers that were compared with a recording.
    """

    mark: int
    footprint: int = 0
    queue: int = 0
    compared: int = 0


class Target(Protocol):
    """Something that takes inputs, each from a state that does not depend on the one before."""

    story: list[tuple[str, bytes]]
    """What the present input has said so far, for those who want to know after a failure."""

    def run(self, dice: Random, *, weigh: bool) -> Outcome:
        """Play one input.

        Args:
            dice: Where the input comes from, all of it.
            weigh: Whether to count what the buffers hold.

        Raises:
            BrokenError: A claim does not hold.
        """
        ...
