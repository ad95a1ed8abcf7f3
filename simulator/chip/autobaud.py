"""How the ROM finds the host's rate: it counts edges on RXD and measures the shortest pulses meanwhile.

Until the counter passes 127 the ROM looks at nothing else; then the divider is set and what comes next is heard. Some
13 bytes of 0x55 are enough, so the first SYNC is spent on it and never answered, and so is the start of anything else
that a host says first.

Source: oracle, Limits (autobaud is faked in the recording; the threshold was seen in the ROM's code). Fidelity:
from source; that the rate comes out right as soon as the counter is full is derived: any text has single-bit pulses by
then.
"""

from __future__ import annotations

EDGES_NEEDED = 127
"""Value that the edge counter must pass."""


def _edges(byte: int) -> int:
    """Count the level changes of one byte on the wire, from idle to idle."""
    levels = 1 | byte << 2 | 1 << 10
    return (levels ^ levels >> 1).bit_count() - 1


EDGES = bytes(_edges(byte) for byte in range(256))
"""Edges of each byte value: 10 for 0x55, 2 for 0x00 and 0xFF."""


class Autobaud:
    """The edge counter."""

    __slots__ = ("_count",)

    def __init__(self) -> None:
        self._count = 0

    @property
    def done(self) -> bool:
        """Whether the counter has passed its threshold."""
        return self._count > EDGES_NEEDED

    def feed(self, data: bytes) -> int:
        """Count the edges of `data` until the threshold is passed.

        Returns:
            How many bytes went into the counter; the rest comes after the divider is set.
        """
        total = self._count + sum(data.translate(EDGES))
        if total <= EDGES_NEEDED:
            self._count = total
            return len(data)
        for position, edges in enumerate(data.translate(EDGES), start=1):
            self._count += edges
            if self._count > EDGES_NEEDED:
                return position
        return len(data)
