"""One board of a rig while tests work on it: opened when needed, identified first, out of the game once it is lost.

The chip's MAC address is read through the ROM, without a stub and without a change of the flash: a board that is not the one in
the rig has not been written to. What keeps a board out is kept as one sentence, which each test on it then gives as its reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from flashcore.chips.esp32 import Crystal, Silicon
from flashcore.errors import FlashcoreError, PortError
from flashcore.loader import After, Before, Flasher, Options, reset
from flashcore.port import LineSupport, Port
from flashcore.ports import open_port
from hil.rig import Action, Board


class BoardOutError(Exception):
    """The board takes no part, or not in this; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What was found behind the port.

    Args:
        silicon: Package, revision and MAC address.
        crystal: Its crystal; ``None`` where a stub was running, which does not say.
        flash_size: Size of its flash in bytes.
        has_lines: Whether the port has DTR and RTS.
    """

    silicon: Silicon
    crystal: Crystal | None
    flash_size: int
    has_lines: bool


class Bench:
    """A board that is worked on.

    Args:
        board: What the rig says about it.
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        self.out = ""
        """Why the board takes no part any more; empty while it does."""
        self.failure: FlashcoreError | None = None
        """What went wrong with a board that should have answered, until a test has failed of it."""
        self._identity: Identity | None = None

    def identity(self) -> Identity:
        """Return what is behind the port, once it is known to be the board that was meant.

        Raises:
            BoardOutError: It is not, or nothing can be found out.
        """
        if self.out:
            raise BoardOutError(self.out)
        if self._identity is None:
            try:
                self._identity = self._identify()
            except FlashcoreError as error:
                self.fail(error)
                raise BoardOutError(self.out) from error
        return self._identity

    @contextmanager
    def port(self) -> Iterator[Port]:
        """Open the port for a while.

        Raises:
            BoardOutError: It cannot be opened.
        """
        try:
            port = open_port(self.board.port)
        except PortError as error:
            raise self._leave(error) from error
        try:
            yield port
        finally:
            port.close()

    @contextmanager
    def flasher(self, *, use_stub: bool = True) -> Iterator[Flasher]:
        """Connect for a while; the chip is left in its loader.

        Raises:
            BoardOutError: The port cannot be opened.
            FlashcoreError: No loader answers.
        """
        with self.port() as port:
            before = Before.NO_RESET if port.line_support is LineSupport.NONE else Before.DEFAULT_RESET
            with Flasher.open(port, Options(use_stub=use_stub, before=before, after=After.NO_RESET)) as flasher:
                yield flasher

    def fail(self, error: FlashcoreError) -> None:
        """Take the board out of the game, and keep `error` for the one test that is to fail of it."""
        self.out = f"{self.board.name}: {error.message}"
        self.failure = error

    def require(self, *actions: Action) -> None:
        """Go on only if the rig allows all of `actions`.

        Raises:
            BoardOutError: It does not.
        """
        for action in actions:
            if action not in self.board.allowed:
                raise BoardOutError(f"{self.board.name}: the rig does not allow to {action} flash")

    def restart(self) -> None:
        """Let the board run its firmware, where that is possible."""
        if not self.out and self._identity is not None and self._identity.has_lines:
            with suppress(BoardOutError, PortError), self.port() as port:
                reset.run(port, reset.HARD_RESET)

    def _leave(self, error: PortError) -> BoardOutError:
        self.out = f"{self.board.name}: {error.message}" + (f" ({error.hint})" if error.hint else "")
        return BoardOutError(self.out)

    def _identify(self) -> Identity:
        board = self.board
        with self.port() as port:
            has_lines = port.line_support is not LineSupport.NONE
        with self.flasher(use_stub=False) as flasher:
            info = flasher.info()
        found = info.silicon.mac_text
        if not info.silicon.mac_valid or found != board.mac:
            self.out = f"{board.name}: its MAC address is {found}, the rig says {board.mac}: another board, nothing was written"
            raise BoardOutError(self.out)
        return Identity(silicon=info.silicon, crystal=info.crystal, flash_size=info.flash_size, has_lines=has_lines)
