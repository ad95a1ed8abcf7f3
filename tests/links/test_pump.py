"""The pump keeps device and client on one clock, and runs ahead only where somebody waits."""

from __future__ import annotations

import os
import selectors
from collections import deque
from collections.abc import Sequence

import pytest

from simulator.board.board import HostBaud, HostBytes, HostClose, HostEvent, HostLines, HostOpen
from simulator.board.decoys import Decoy
from simulator.kernel import MS, S
from simulator.links.pump import BACKLOG, HOLD_NS, Pace, Pump, run


class Client:
    """A client's side without a system underneath."""

    data_descriptor = 0
    other_descriptors: Sequence[int] = ()
    pending = 0

    def __init__(self, *events: HostEvent, takes: int = 1 << 20) -> None:
        self.events: deque[HostEvent] = deque([HostOpen(), HostBaud(115200), *events])
        self.heard = b""
        self.takes = takes

    def poll(self, *, take_bytes: bool) -> list[HostEvent]:
        result: list[HostEvent] = []
        while self.events and (take_bytes or not isinstance(self.events[0], HostBytes)):
            result.append(self.events.popleft())
            if isinstance(result[-1], HostBytes):
                break
        return result

    def send(self, data: bytes) -> int:
        taken = data[: self.takes]
        self.heard += taken
        return len(taken)


class Wall:
    """The machine's clock, moved by hand."""

    def __init__(self) -> None:
        self.now = 77 * S

    def __call__(self) -> int:
        return self.now


def test_at_real_pace_bytes_come_when_the_wire_has_carried_them() -> None:
    wall, client = Wall(), Client(HostBytes(b"hello"))
    pump = Pump(Decoy("echo"), client, clock=wall)
    pump.step()
    assert client.heard == b""
    wait = pump.wait_ns()
    assert wait is not None
    assert 0 < wait < 2 * MS
    wall.now += 20 * MS
    pump.step()
    assert client.heard == b"hello"


def test_at_full_pace_an_answer_comes_at_once() -> None:
    client = Client(HostBytes(b"hello"))
    pump = Pump(Decoy("echo"), client, pace=Pace.MAX, clock=Wall())
    pump.step()
    assert client.heard == b"hello"


def test_at_full_pace_a_board_that_chatters_keeps_its_rhythm() -> None:
    wall, client = Wall(), Client()
    pump = Pump(Decoy("gps"), client, pace=Pace.MAX, clock=wall)
    pump.step()
    wall.now += S
    pump.step()
    once = client.heard
    assert once.count(b"$GPRMC") == 1
    pump.step()
    assert client.heard == once
    wall.now += S
    pump.step()
    assert client.heard.count(b"$GPRMC") == 2


def test_time_never_runs_backwards_after_a_jump() -> None:
    wall, client = Wall(), Client(HostBytes(b"x" * 1000))
    pump = Pump(Decoy("echo"), client, pace=Pace.MAX, clock=wall)
    pump.step()
    ahead = pump.now_ns()
    assert ahead > 80 * MS
    wall.now += MS
    assert pump.now_ns() == ahead + MS


def test_bytes_wait_at_the_client_while_the_adapter_is_full() -> None:
    wall = Wall()
    client = Client(HostBytes(bytes(20_000)), HostBytes(b"next"))
    pump = Pump(Decoy("echo"), client, clock=wall)
    pump.step()
    pump.step()
    assert list(client.events) == [HostBytes(b"next")]
    assert client.data_descriptor not in pump.interests()
    wall.now += 2 * S
    pump.step()
    assert not client.events


def test_what_a_client_does_not_take_waits_and_then_is_lost() -> None:
    wall, client = Wall(), Client(takes=0)
    pump = Pump(Decoy("gps"), client, clock=wall)
    seconds = 0
    while not pump.lost:
        wall.now += S
        seconds += 1
        assert seconds < 2000
        pump.step()
    assert pump.interests()[client.data_descriptor] & selectors.EVENT_WRITE
    client.takes = 1 << 20
    pump.step()
    assert BACKLOG <= len(client.heard) < BACKLOG + 1000


def test_what_was_kept_for_a_client_is_dropped_when_it_leaves() -> None:
    wall, client = Wall(), Client(takes=0)
    pump = Pump(Decoy("gps"), client, clock=wall)
    pump.step()
    wall.now += S
    pump.step()
    assert pump.interests()[client.data_descriptor] & selectors.EVENT_WRITE
    client.events += [HostClose(), HostOpen()]
    client.takes = 1 << 20
    pump.step()
    assert client.heard == b""


@pytest.mark.parametrize("pace", list(Pace))
def test_how_long_the_machine_takes_between_two_changes_of_the_lines_does_not_matter(pace: Pace) -> None:
    wall, client = Wall(), Client(HostLines(dtr=True, rts=True))
    pump = Pump(Decoy("echo"), client, pace=pace, clock=wall)
    pump.step()
    changed = pump.now_ns()
    wall.now += HOLD_NS - 1
    client.events.append(HostLines(dtr=True, rts=False))
    pump.step()
    assert pump.now_ns() == changed + pump.device.adapter.spec.control_ns


def test_after_the_last_change_of_the_lines_the_device_catches_up() -> None:
    wall, client = Wall(), Client(HostLines(dtr=True, rts=True))
    pump = Pump(Decoy("echo"), client, clock=wall)
    before = pump.now_ns()
    pump.step()
    assert pump.wait_ns() == HOLD_NS
    wall.now += HOLD_NS
    assert pump.now_ns() == before + HOLD_NS


def test_bytes_after_a_change_of_the_lines_end_the_wait() -> None:
    wall, client = Wall(), Client(HostLines(dtr=True, rts=True))
    pump = Pump(Decoy("echo"), client, clock=wall)
    before = pump.now_ns()
    pump.step()
    wall.now += 5 * MS
    client.events.append(HostBytes(b"hello"))
    pump.step()
    assert pump.now_ns() == before + 5 * MS


def test_settling_takes_what_the_client_wrote_last() -> None:
    client = Client()
    pump = Pump(Decoy("echo"), client, clock=Wall())
    pump.step()
    client.events.append(HostBytes(b"bye"))
    pump.settle()
    assert pump.device.drain() == b"bye"


def test_the_loop_ends_when_it_is_told_to() -> None:
    reader, writer = os.pipe()
    try:
        os.write(writer, b"x")
        assert run([], stop=reader) is True
    finally:
        os.close(reader)
        os.close(writer)


def test_the_loop_ends_when_its_time_is_up() -> None:
    assert run([], until_ns=0) is False


@pytest.mark.parametrize("pace", list(Pace))
def test_an_idle_device_gives_the_loop_nothing_to_wait_for(pace: Pace) -> None:
    pump = Pump(Decoy("echo"), Client(), pace=pace, clock=Wall())
    pump.step()
    assert pump.wait_ns() is None
