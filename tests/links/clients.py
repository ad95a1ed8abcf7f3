"""What the tests of network links share: a client, a look at what it did, and a served device."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections.abc import Iterator

from simulator.board.board import HostEvent
from simulator.links.pump import Link, Pump, run
from simulator.links.seat import Address


def connect(address: Address) -> socket.socket:
    """Return a connection to a link of this machine."""
    return socket.create_connection((address.host, address.port), timeout=30)


def receive(client: socket.socket, count: int) -> bytes:
    """Return the next `count` bytes."""
    heard = bytearray()
    while len(heard) < count:
        more = client.recv(count - len(heard))
        assert more, f"the connection ended after {bytes(heard)!r}"
        heard += more
    return bytes(heard)


def poll_for(link: Link, kind: type[HostEvent]) -> list[HostEvent]:
    """Poll `link` until an event of `kind` has come; return all that came."""
    events: list[HostEvent] = []
    while not any(isinstance(event, kind) for event in events):
        descriptors = [*link.other_descriptors, *([link.data_descriptor] if link.data_descriptor is not None else [])]
        readable, _, _ = select.select(descriptors, [], [], 30)
        assert readable, f"no {kind.__name__} within 30 s, only {events}"
        events += link.poll(take_bytes=True)
    return events


@contextlib.contextmanager
def serving(*pumps: Pump) -> Iterator[None]:
    """Serve `pumps` in a thread."""
    reader, writer = os.pipe()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            run(pumps, stop=reader)
        except BaseException as error:
            errors.append(error)
            raise

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.close(writer)
        thread.join(30)
        os.close(reader)
    assert not thread.is_alive()
    assert not errors
