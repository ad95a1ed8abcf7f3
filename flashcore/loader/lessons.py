"""What a session has learnt the hard way, and does differently from then on: a lower rate, smaller parts, no stub.

The link's own manners are in `link`; this is about the rate that both sides agree on, the chip's supply and what runs on it.
Source: fault catalogue rows 6, 17, 24.
"""

from __future__ import annotations

from flashcore.errors import FlashcoreError
from flashcore.loader import baud, restarts
from flashcore.loader.progress import Recovery
from flashcore.loader.session import Session


class Lessons:
    """The lessons of one session.

    Args:
        session: The session.
        rate: The rate that the user wants, in baud.
    """

    def __init__(self, session: Session, rate: int) -> None:
        self._session = session
        self._policy = session.policy
        self.rate = rate
        """The rate to work at, in baud."""
        self.gentleness = 0
        """How often the supply broke down: the higher, the less is erased at a time and the longer the pauses."""
        self._losses = 0
        """How often the chip was lost for a reason that is not known."""
        self._too_fast: tuple[int, str] | None = None
        """The first rate that did not work, and why."""

    @property
    def rest_s(self) -> float:
        """How long a weak supply needs to recover after each part, in seconds."""
        return self._policy.gentle_pause_s * 2 ** (self.gentleness - 1) if self.gentleness else 0.0

    def part_size(self, whole: int) -> int:
        """Return how many of `whole` bytes to erase and write in one go."""
        return self._policy.gentle_part if self.gentleness else max(whole, 1)

    def lower_rate(self, rate: int, error: FlashcoreError | None = None) -> None:
        """Do with less than `rate` from now on, because of `error` if the rate is at fault."""
        self.rate = baud.below(rate, self._policy)
        if error is None:
            return
        if self._too_fast is None:
            self._too_fast = (rate, error.message)
        self._session.emit(Recovery(cause=error.code, text=f"{rate} baud does not work: {error.message}"))

    def report_rate(self) -> None:
        """Say which rate did not work, once it is known which does."""
        if self._too_fast is not None:
            rate, reason = self._too_fast
            self._session.found(
                "link.baudrate_too_high",
                f"{rate} baud does not work here ({reason}): the work is done at {self._session.port.baudrate} baud",
            )

    def chip_lost(self, cause: FlashcoreError, *, stub: bool) -> bool:
        """Draw conclusions from the loss of the chip.

        Args:
            cause: What is known of the reason.
            stub: Whether a stub was running.

        Returns:
            Whether to do without the stub from now on.
        """
        if cause.code == restarts.BROWNOUT:
            self.gentleness += 1
            self._session.found(
                "power.brownout",
                "the chip's supply broke down (brownout) while flash was erased or written, so less was done at a time: use "
                "another cable, port or supply, and attach the antenna of a board with a radio",
            )
            return False
        self._losses += 1
        often = self._losses >= self._policy.losses
        if often:
            # At a lower rate the chip's own words about a restart can be read.
            self.rate = baud.below(self.rate, self._policy)
            self.gentleness += not stub
        return stub and (often or cause.code == restarts.CRASHED)
