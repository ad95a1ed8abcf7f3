"""An unmodified Python flasher in this process, in virtual time: a test calls it as a library, and waiting costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from simulator.board.board import Device

NAME = "board"
"""What stands behind ``sim://``."""


@contextmanager
def plugged_in(device: Device) -> Iterator[str]:
    """Give pyserial a port that leads to `device`, and the standard library its time, while the block runs.

    Inside, `time.sleep`, `time.time`, `time.monotonic` and their like are the device's, `serial.serial_for_url` and
    `serial.Serial` open it by the URL or by the device file that Linux would give its adapter, and the list of ports holds
    nothing else, so that no real hardware is touched. Only the thread that enters the block may use the port. A program that
    has taken a function out of `time` by ``from time import sleep`` before keeps the real one.

    Args:
        device: What is at the other end of the cable.

    Yields:
        The port's URL.

    Raises:
        VirtualHang: Out of the block, if what runs in it waits for something that never comes.
    """
    from simulator.clock import VirtualClock
    from simulator.flashers.plug import plug_in
    from simulator.flashers.virtual_time import VirtualTime
    from simulator.links.protocol_sim import check_horizon

    with ExitStack() as undo:
        endpoint = plug_in(NAME, device, undo)
        shims = VirtualTime(VirtualClock(device.advance, lambda: device.kernel.now), check_horizon)
        undo.callback(shims.remove)
        shims.install()
        yield endpoint.url
