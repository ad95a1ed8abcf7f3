"""Saves a region of a board's flash, lets the tests have it, and puts it back, whatever happened in between.

The copy is in a file beside the rig before the first write, so that a killed process or a pulled cable loses nothing: the next
run puts it back before it does anything else. Putting back is a session of its own, since the one before may be in any state,
and Ctrl-C does not interrupt it. The file goes once the flash is proven to hold what it held.
"""

from __future__ import annotations

import contextlib
import hashlib
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from flashcore.errors import FlashcoreError
from flashcore.image import Region
from flashcore.loader import Flasher
from hil.rig import Span

Connect = Callable[[], AbstractContextManager[Flasher]]


class NotPutBackError(Exception):
    """The region could not be put back; the text says where the copy is, and how to use it."""


class Keeper:
    """The flash region of one board.

    Args:
        connect: Opens a session with the board.
        span: The region.
        copy: File for what it holds.
        port: The board's port, for the message that says how to put the copy back by hand.
    """

    def __init__(self, connect: Connect, span: Span, copy: Path, *, port: str) -> None:
        self._connect = connect
        self._span = span
        self._copy = copy
        self._port = port

    @contextmanager
    def kept(self) -> Iterator[bytes]:
        """Let the region be changed; yields what it holds, and puts that back at the end.

        Raises:
            NotPutBackError: That failed.
        """
        if self._copy.exists():
            self.put_back()
        data = self._save()
        try:
            yield data
        finally:
            self.put_back()

    def put_back(self) -> None:
        """Write the copy to the flash, prove that it is there, and remove the copy.

        Raises:
            NotPutBackError: It could not be written.
        """
        data = self._copy.read_bytes()
        span = self._span
        if len(data) != span.size:
            raise NotPutBackError(f"the copy {self._copy} holds {len(data)} bytes, the region {span.size}: it was not touched")
        with _uninterrupted():
            try:
                with self._connect() as flasher:
                    if flasher.md5(span.start, span.size) != hashlib.md5(data, usedforsecurity=False).hexdigest():
                        flasher.write([Region(offset=span.start, data=data, name=self._copy.name)], force=True)
            except Exception as error:
                reason = error.message if isinstance(error, FlashcoreError) else str(error)
                raise NotPutBackError(
                    f"the flash from {span} could not be put back ({reason}). Its content is in {self._copy}: the next run "
                    f"puts it back first, or: flashcore --port {self._port} write 0x{span.start:x} {self._copy}"
                ) from error
            self._copy.unlink()
            with contextlib.suppress(OSError):
                self._copy.parent.rmdir()

    def _save(self) -> bytes:
        with self._connect() as flasher:
            data = flasher.read(self._span.start, self._span.size)
        self._copy.parent.mkdir(parents=True, exist_ok=True)
        part = self._copy.with_suffix(".part")
        part.write_bytes(data)
        part.replace(self._copy)
        return data


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Keep Ctrl-C and a polite kill waiting."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    kinds = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {kind: signal.signal(kind, lambda number, frame: waiting.append(number)) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
        if waiting:
            signal.raise_signal(waiting[0])
