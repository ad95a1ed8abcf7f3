"""An unmodified Python flasher in this process, in virtual time: a test calls it as a library, and waiting costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from simulator.board.board import Device
from simulator.host.virtual_host import VirtualHost, alone

NAME = "board"
"""What stands behind ``sim://``."""


@contextmanager
def plugged_in(device: Device | VirtualHost) -> Iterator[str]:
    """Give pyserial a port that leads to `device`, or all of a computer, and the standard library its time, for the block.

    Inside, `time.sleep`, `time.time`, `time.monotonic` and their like are the device's, `serial.serial_for_url` and
    `serial.Serial` open it by the URL or by the name that the port has in the system, and the list of ports holds
    nothing else, so that no real hardware is touched. Only the thread that enters the block may use the port. A program that
    has taken a function out of `time` by ``from time import sleep`` before keeps the real one.

    Args:
        device: What is at the other end of the cable, or the computer with all its ports.

    Yields:
        The port's URL.

    Raises:
        VirtualHang: Out of the block, if what runs in it waits for something that never comes.
    """
    from simulator.flashers.plug import plug_in
    from simulator.flashers.virtual_time import VirtualTime
    from simulator.links.protocol_sim import check_horizon

    host = device if isinstance(device, VirtualHost) else alone(device)
    with ExitStack() as undo:
        endpoint = plug_in(NAME, host, undo)
        shims = VirtualTime(host.clock, check_horizon)
        undo.callback(shims.remove)
        shims.install()
        yield endpoint.url
