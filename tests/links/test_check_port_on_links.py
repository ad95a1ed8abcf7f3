"""The public checks of a port on ports of the operating system, with a thread at the far end."""

from __future__ import annotations

import os
import pty
import selectors
import threading
import tty
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from flashcore.ports import open_port
from simulator.testing import PortBench, check_port
from simulator.testing.port_checks import CHECKS

pytestmark = pytest.mark.skipif(not hasattr(pty, "openpty"), reason="there are no pseudo-terminals here")


class Listener:
    """Reads the far end of a pseudo-terminal until it is told to stop."""

    def __init__(self, descriptor: int) -> None:
        self.data = b""
        self._descriptor = descriptor
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            os.write(self._wake_write, b"x")
            self._thread.join()
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _listen(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_read, selectors.EVENT_READ)
            selector.register(self._descriptor, selectors.EVENT_READ)
            while self._wake_read not in {key.fd for key, _ in selector.select()}:
                self.data += os.read(self._descriptor, 65536)


@contextmanager
def pty_bench() -> Iterator[PortBench]:
    with ExitStack() as stack:
        master, slave = os.openpty()
        stack.callback(os.close, slave)
        far_end = ExitStack()
        far_end.callback(os.close, master)
        stack.enter_context(far_end)
        tty.setraw(slave)
        listener = Listener(master)
        far_end.callback(listener.stop)
        port = open_port(os.ttyname(slave))
        stack.callback(port.close)

        def unplug() -> None:
            far_end.close()

        yield PortBench(
            port=port,
            send=lambda data: _send(master, data),
            received=lambda: listener.data,
            clog=listener.stop,
            unplug=unplug,
        )


def _send(descriptor: int, data: bytes) -> None:
    assert os.write(descriptor, data) == len(data)


def test_a_port_of_the_system_keeps_every_rule_but_those_about_lines() -> None:
    without = ("atomic lines", "released lines")
    assert check_port(pty_bench) == tuple(name for name in CHECKS if name not in without)
