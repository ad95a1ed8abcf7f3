"""What a session learns about its link: how long a write may be before the port damages it.

Apple's CDC driver with a CH9102 or CH343 bridge passes short frames and damages those of several kilobytes. Such a port can
still be used: writes of at most one USB packet, each followed by a pause that lets the driver's burst end.
Source: fault catalogue row 1.
"""

from __future__ import annotations

from dataclasses import dataclass

LONG_FRAME = 512
"""From this length on, in bytes, damage is counted against the link and not against chance."""


@dataclass(slots=True)
class LinkProfile:
    """What a session has learnt about its link.

    Args:
        max_burst: Longest write handed to the port at once, in bytes; ``None`` if whole frames pass.
        pause_s: Pause after each such write, beyond the time that the bytes take on the wire.
        damaged: Long frames that arrived broken since the last change of the profile.
        longest_good: Longest frame that arrived whole, in bytes.
        shortest_bad: Shortest frame that arrived broken, in bytes.
    """

    max_burst: int | None = None
    pause_s: float = 0.0
    damaged: int = 0
    longest_good: int = 0
    shortest_bad: int = 0

    @property
    def paced(self) -> bool:
        """Whether writes are cut into bursts."""
        return self.max_burst is not None

    def note_damage(self, length: int) -> int:
        """Note that a frame of `length` wire bytes arrived broken, and return how many long ones did."""
        if length >= LONG_FRAME:
            self.shortest_bad = min(self.shortest_bad or length, length)
            self.damaged += 1
        return self.damaged

    def note_passed(self, length: int) -> None:
        """Note that a frame of `length` wire bytes arrived whole."""
        if length > self.longest_good:
            self.longest_good = length

    def pace(self, burst: int, pause_s: float) -> None:
        """Cut writes into pieces of `burst` bytes from now on, with pauses of `pause_s` seconds."""
        self.max_burst, self.pause_s = burst, pause_s

    def advice(self, port: str) -> str:
        """Return what to tell the user of `port` about a paced link."""
        good = f", frames of {self.longest_good} bytes pass" if 0 < self.longest_good < self.shortest_bad else ""
        head, mark, tail = port.partition("usbmodem")
        twin = f"{head}wchusbserial{tail}" if mark else "the cu.wchusbserial... port"
        return (
            f"the port damages long writes: frames of {self.shortest_bad} bytes arrive broken{good}; so everything was sent "
            f"in pieces of {self.max_burst} bytes with pauses, which is slow. On macOS with a CH9102 or CH343 bridge this is "
            f"Apple's CDC driver: use {twin} instead, or install WCH's driver if there is no such port"
        )
