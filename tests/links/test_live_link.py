"""A board served by a thread while a test goes on: every kind of link works, and nothing of it is left."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from flashcore.errors import PortError
from flashcore.image import Region
from flashcore.loader import Flasher, Options
from flashcore.loader.connect import After, Before
from flashcore.ports import open_port
from simulator.links.pump import Pace
from simulator.scenario import Scenario
from simulator.testing import LiveLink, VirtualBoard
from simulator.testing.live_link import Link

# Of pyserial's client for RFC 2217.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:serial.rfc2217")

DATA = bytes(range(256)) * 16


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


@pytest.mark.parametrize("link", list(Link))
def test_a_board_is_flashed_over_every_link_and_nothing_is_left(link: Link) -> None:
    board = VirtualBoard(Scenario(download=not link.has_lines))
    before = (threading.active_count(), descriptors())
    with LiveLink(board.world.device, link, pace=Pace.MAX) as live:
        by_hand = {} if link.has_lines else {"before": Before.NO_RESET, "after": After.NO_RESET}
        with Flasher.open(open_port(live.url), Options(use_stub=False, **by_hand)) as flasher:
            flasher.write([Region(offset=0x10000, data=DATA)], force=True)
    live.close()
    assert board.flash[0x10000 : 0x10000 + len(DATA)] == DATA
    assert (threading.active_count(), descriptors()) == before
    with pytest.raises(PortError):
        open_port(live.url)


def test_a_failure_of_the_simulator_comes_out_when_the_link_is_closed() -> None:
    board = VirtualBoard(Scenario())
    before = (threading.active_count(), descriptors())
    live = LiveLink(board.world.device, Link.TCP)

    def fail(to_ns: int) -> None:
        raise ZeroDivisionError

    board.world.device.advance = fail  # type: ignore[method-assign]
    with socket.socket() as knocking:
        # Somebody at the door wakes the thread.
        host, port = live.url.removeprefix("socket://").split(":")
        knocking.connect((host, int(port)))
        with pytest.raises(ZeroDivisionError):
            live.close()
    live.close()
    assert (threading.active_count(), descriptors()) == before
