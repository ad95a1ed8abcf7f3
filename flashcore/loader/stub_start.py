"""Getting a stub to run, or doing without one.

A stub is tried as it is, then once more after a reset with more care; what is lost then is only speed. A stub that ran and
crashed later is not started again. Source: fault catalogue rows 1, 24, 25.
"""

from __future__ import annotations

from collections.abc import Callable

from flashcore.chips import ChipSpec
from flashcore.errors import ChipResetError, DeadlineExceededError
from flashcore.loader import stub, stub_image
from flashcore.loader.options import Options
from flashcore.loader.progress import Recovery, StubRunning
from flashcore.loader.session import Session
from flashcore.loader.stub import Start, StubLoader
from flashcore.loader.stub_image import StubImage


class StubStarter:
    """Starts stubs for one session.

    Args:
        session: The session.
        options: The user's choices.
    """

    def __init__(self, session: Session, options: Options) -> None:
        self._session = session
        self._image = options.stub
        self.allowed = options.use_stub
        """Whether a stub is worth trying."""

    def start(self, chip: ChipSpec, reset: Callable[[], None] | None) -> StubLoader | None:
        """Return a running stub, or ``None`` with the ROM loader in step.

        Args:
            chip: The chip, whose ROM loader answers.
            reset: Brings the chip back into its ROM loader; ``None`` where that cannot be done.

        Raises:
            ConnectError: The chip was lost on the way.
            PortError: The port cannot be used.
        """
        session = self._session
        image = self._image or stub_image.find(chip.name.lower().replace("-", ""))
        if image is None:
            self.allowed = False
            session.found(
                "stub.not_installed",
                "no esptool is installed whose stub could be used: the ROM loader does the work, which is slower",
            )
            return None
        outcome = self._run(image, first_rung=0)
        if outcome is not Start.RUNNING and reset is not None:
            reset()
            # What arrived whole and died all the same is no matter of the link.
            outcome = self._run(image, first_rung=1 if outcome is Start.DEAD else 2)
        if outcome is Start.RUNNING:
            return StubLoader(session, chip)
        self.give_up("the stub could not be started")
        if session.sync_once(session.policy.sync_s[1]) is not None:
            session.drain()
        elif reset is not None:
            reset()
        return None

    def give_up(self, reason: str) -> None:
        """Do without a stub from now on."""
        self.allowed = False
        self._session.found("stub.failed", f"{reason}: the ROM loader does the work, which is slower")

    def _run(self, image: StubImage, *, first_rung: int) -> Start:
        session = self._session
        try:
            outcome = stub.start(session, image, first_rung=first_rung)
        except ChipResetError as error:
            session.emit(Recovery(cause=error.code, text=f"starting the stub: {error.message}"))
            return Start.DEAD
        except DeadlineExceededError as error:
            session.emit(Recovery(cause=error.code, text=f"starting the stub: {error.message}"))
            return Start.NOT_LOADED
        if outcome is Start.RUNNING:
            session.emit(StubRunning(source=image.source, uploaded=image.size))
        else:
            session.emit(Recovery(cause="stub.failed", text=f"the stub is {outcome.value}"))
        return outcome
