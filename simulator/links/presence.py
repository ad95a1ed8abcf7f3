"""Who has a device file open: told by the kernel where it can (Linux, inotify), else taken for granted.

The kernel merges an event with the one before if both are the same and nobody has read them yet, so two closes could count as
one. The folder is therefore watched beside the file: its events stand between those of the file and keep them apart.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Sequence

_EVENT = struct.Struct("iIII")
_IN_CLOSE_WRITE = 0x08
_IN_CLOSE_NOWRITE = 0x10
_IN_OPEN = 0x20


class Presence:
    """Watches one file; a context manager.

    Where the kernel does not tell, the file counts as opened once and for ever: bytes then wait for the next client.

    Args:
        path: The file. Descriptors that are open already do not count.
    """

    def __init__(self, path: str) -> None:
        watch = _watch(path)
        self._descriptor = None if watch is None else watch[0]
        self._wanted = None if watch is None else watch[1]
        self._assumed = self._descriptor is None

    def __enter__(self) -> Presence:
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def descriptors(self) -> Sequence[int]:
        """What becomes readable when something has changed."""
        return () if self._descriptor is None else (self._descriptor,)

    def changes(self) -> tuple[int, int]:
        """Return how often the file has been opened and closed since the last call."""
        if self._descriptor is None:
            opened, self._assumed = int(self._assumed), False
            return opened, 0
        try:
            data = os.read(self._descriptor, 65536)
        except BlockingIOError:
            return 0, 0
        opened = closed = position = 0
        while position + _EVENT.size <= len(data):
            watch, mask, _, name_length = _EVENT.unpack_from(data, position)
            position += _EVENT.size + name_length
            if watch != self._wanted:
                continue
            opened += bool(mask & _IN_OPEN)
            closed += bool(mask & (_IN_CLOSE_WRITE | _IN_CLOSE_NOWRITE))
        return opened, closed


def _watch(path: str) -> tuple[int, int] | None:
    """Return a descriptor that reports opens and closes, and which watch is that of `path`; ``None`` where that cannot be."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = int(library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    if descriptor < 0:
        return None
    mask = _IN_OPEN | _IN_CLOSE_WRITE | _IN_CLOSE_NOWRITE
    watch = int(library.inotify_add_watch(descriptor, os.fsencode(path), mask))
    if watch < 0:
        os.close(descriptor)
        return None
    library.inotify_add_watch(descriptor, os.fsencode(os.path.dirname(path)), mask)
    return descriptor, watch
