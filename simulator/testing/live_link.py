"""A board that other programs can open in real time while a test goes on: a link, and a thread that serves it."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from enum import StrEnum, unique
from types import TracebackType
from typing import Self

from simulator.board.board import Device
from simulator.links import pump
from simulator.links.network import Network, NetworkLink, Way
from simulator.links.pty import PtyLink


@unique
class Link(StrEnum):
    """A way in."""

    RFC2217 = "rfc2217"
    """Bytes, baud rate, DTR and RTS over TCP."""
    TCP = "tcp"
    """Bytes over TCP, and nothing else."""
    PTY = "pty"
    """A pseudo-terminal: bytes and baud rate."""

    @property
    def has_lines(self) -> bool:
        """Whether a client can reset the board."""
        return self is Link.RFC2217


class LiveLink:
    """Serves one device until it is closed. A context manager.

    While it is open the device belongs to its thread: only look at the flash when the client has been told that it is done.

    Args:
        device: What is at the other end of the cable.
        link: The kind of port.
        pace: Whether the device keeps real time.

    Raises:
        FlashcoreError: The link cannot be opened.
    """

    def __init__(self, device: Device, link: Link = Link.RFC2217, *, pace: pump.Pace = pump.Pace.REAL) -> None:
        pump.load_all()
        self._link: PtyLink | NetworkLink = PtyLink() if link is Link.PTY else Way(network=_NETWORKS[link]).open(device)
        self._pump = pump.Pump(device, self._link, pace=pace)
        self._failure: BaseException | None = None
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._serve, name=f"espsim {self.url}", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """What a client opens: a path, or a URL of pyserial."""
        return self._link.path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Take the port away, and let the device do what it was told last. Closing twice is harmless.

        Raises:
            BaseException: What ended the serving before its time, if anything did: the simulator failed.
        """
        if not self._thread.is_alive() and self._stop_write < 0:
            return
        os.write(self._stop_write, b"x")
        self._thread.join()
        try:
            if self._failure is None:
                self._pump.settle()
        finally:
            self._link.close()
            os.close(self._stop_read)
            os.close(self._stop_write)
            self._stop_read = self._stop_write = -1
        if self._failure is not None:
            raise self._failure

    def _serve(self) -> None:
        try:
            pump.run([self._pump], stop=self._stop_read)
        except BaseException as failure:  # noqa: BLE001 - goes to whoever closes the link
            self._failure = failure


_NETWORKS: Mapping[Link, Network] = {Link.RFC2217: Network.RFC2217, Link.TCP: Network.TCP}
