"""Staying with one board when its port goes: getting the port back, and making sure that the same chip answers behind it.

A port that returns may lead to another board: names are given anew, and adapters of one make share their serial number. So the
chip's MAC address is read when it is first reached over a port that can return, and compared before anything is written after a
return. Source: fault catalogue rows 9, 28, 64.
"""

from __future__ import annotations

from flashcore.errors import FlashcoreError, PortError, PortLostError
from flashcore.host import ReturningPort
from flashcore.loader.base import Loader
from flashcore.loader.line import CHANGED_OVER
from flashcore.loader.progress import Recovery
from flashcore.loader.session import Session

_MAC_WORDS = (1, 2)
"""Words of the eFuses that hold the MAC address and its CRC."""

STUCK = "port.write_stuck"
"""Code of the error of a driver that takes no more bytes; a port that is opened anew forgets what it did not send."""


def is_about_port(cause: FlashcoreError) -> bool:
    """Tell whether opening the port anew is what helps."""
    return isinstance(cause, PortLostError) or cause.code == STUCK


class Bond:
    """The tie to one board over one session.

    Args:
        session: The session.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._mac: tuple[int, ...] | None = None
        self.returns = 0
        """How often the port was brought back."""

    @property
    def can_return(self) -> bool:
        """Whether the port can be brought back."""
        return isinstance(self._session.port, ReturningPort)

    def bring_back(self, cause: FlashcoreError) -> bool:
        """Get the port back after `cause`; return whether a loader may be waiting there now.

        Raises:
            PortError: It does not come back, or has been lost too often.
            FlashcoreError: `cause`, where this kind of port cannot be brought back.
        """
        session = self._session
        port = session.port
        if not isinstance(port, ReturningPort):
            raise cause
        if self.returns >= session.policy.port_returns:
            raise PortError(
                f"{port.name} was lost {self.returns} times; the last time: {cause.message}",
                hint=cause.hint
                or "check the cable and the power supply, and try another USB port or a hub with its own supply",
                code=cause.code,
                context=cause.context,
            ) from cause
        self.returns += 1
        session.emit(Recovery(cause=cause.code, text=f"{cause.message}; opening the port anew"))
        expected = port.bring_back(cause)
        session.exchange.forget()
        session.clear_recent()
        if cause.code != CHANGED_OVER:
            session.found(
                "port.came_back", f"the port was lost in the middle of the work and came back as {port.name}: check the cable"
            )
        return expected

    def hold(self, loader: Loader) -> None:
        """Remember the chip at the first contact, and make sure that it is the same later.

        Raises:
            PortError: It is another one.
            DeadlineExceededError: It does not answer.
        """
        if not self.can_return:
            return
        found = self._read(loader)
        if self._mac is None:
            self._mac = found
        elif found != self._mac:
            raise PortError(
                f"another board answers behind {self._session.port.name} than the one that the work began with",
                hint="boards of one make can have the same USB identity: leave only one plugged in, and write again",
                code="port.other_board",
                context={"expected": _text(self._mac), "found": _text(found)},
            )

    def _read(self, loader: Loader) -> tuple[int, ...]:
        """Return the words of the MAC address, believed when they say the same twice: answers carry no checksum."""
        base = loader.chip.efuse_base
        found: tuple[int, ...] = ()
        for _ in range(self._session.policy.ask_tries + 1):
            before, found = found, tuple(loader.read_reg(base + 4 * word) for word in _MAC_WORDS)
            if found == before:
                break
        return found


def _text(words: tuple[int, ...]) -> str:
    return ((words[1] & 0xFFFF).to_bytes(2, "big") + words[0].to_bytes(4, "big")).hex(":")
