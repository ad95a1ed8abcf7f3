"""The pseudo-terminal: what a client does at its end is what the device sees."""

from __future__ import annotations

import os
import sys
import termios
from collections.abc import Iterator

import pytest
import serial

from simulator.board.board import HostBaud, HostBytes, HostClose, HostEvent, HostOpen
from simulator.links.pty import PtyLink


@pytest.fixture
def link() -> Iterator[PtyLink]:
    with PtyLink() as link:
        yield link


def poll(link: PtyLink) -> list[HostEvent]:
    return link.poll(take_bytes=True)


needs_inotify = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has a pty open")


@needs_inotify
def test_a_client_is_seen_coming_and_going(link: PtyLink) -> None:
    assert poll(link) == []
    with serial.Serial(link.path, 115200):
        assert poll(link) == [HostOpen(), HostBaud(115200)]
    assert poll(link) == [HostClose()]


@needs_inotify
def test_a_second_client_changes_nothing_while_the_first_stays(link: PtyLink) -> None:
    with serial.Serial(link.path, 9600):
        poll(link)
        serial.Serial(link.path, 9600).close()
        assert poll(link) == []


@needs_inotify
def test_clients_that_come_or_leave_at_the_same_time_are_counted_one_by_one(link: PtyLink) -> None:
    clients = [os.open(link.path, os.O_RDWR | os.O_NOCTTY) for _ in range(3)]
    assert poll(link)[0] == HostOpen()
    os.close(clients.pop())
    os.close(clients.pop())
    assert poll(link) == []
    os.close(clients.pop())
    assert poll(link) == [HostClose()]


@needs_inotify
def test_bytes_written_just_before_closing_are_not_lost(link: PtyLink) -> None:
    with serial.Serial(link.path, 9600) as client:
        client.write(b"bye")
    assert poll(link) == [HostOpen(), HostBaud(9600), HostBytes(b"bye"), HostClose()]


@pytest.mark.parametrize("baud", [9600, 115200, 460800, 921600, 912600, 74880])
def test_the_baud_rate_of_the_client_arrives_before_its_bytes(link: PtyLink, baud: int) -> None:
    with serial.Serial(link.path, baud) as client:
        client.write(b"x")
        events = poll(link)
        assert events[-2:] == [HostBaud(baud), HostBytes(b"x")]


def test_a_new_rate_is_noticed_without_any_bytes(link: PtyLink) -> None:
    with serial.Serial(link.path, 115200) as client:
        poll(link)
        client.baudrate = 921600
        assert poll(link) == [HostBaud(921600)]


def test_every_byte_value_passes_both_ways_unchanged(link: PtyLink) -> None:
    everything = bytes(range(256))
    with serial.Serial(link.path, 115200, timeout=5) as client:
        client.write(everything)
        assert poll(link)[-1] == HostBytes(everything)
        assert link.send(everything) == 256
        assert client.read(256) == everything
        assert not any(isinstance(event, HostBytes) for event in poll(link)), "the line discipline echoes"


@needs_inotify
def test_what_a_client_left_unread_does_not_reach_the_next(link: PtyLink) -> None:
    with serial.Serial(link.path, 115200):
        poll(link)
        link.send(b"old")
    poll(link)
    with serial.Serial(link.path, 115200, timeout=0) as client:
        poll(link)
        assert client.read(10) == b""
        link.send(b"new")
        client.timeout = 5
        assert client.read(3) == b"new"


def test_a_client_that_does_not_read_stops_the_sender(link: PtyLink) -> None:
    with serial.Serial(link.path, 115200):
        taken = 0
        while more := link.send(bytes(4096)):
            taken += more
            assert taken < 1 << 20
        assert taken


def test_bytes_stay_at_the_client_while_the_device_has_no_room(link: PtyLink) -> None:
    with serial.Serial(link.path, 115200) as client:
        client.write(b"later")
        assert not any(isinstance(event, HostBytes) for event in link.poll(take_bytes=False))
        assert poll(link) == [HostBytes(b"later")]


def test_closing_leaves_no_descriptor() -> None:
    before = sorted(os.listdir("/dev/fd"))
    link = PtyLink()
    link.close()
    link.close()
    assert sorted(os.listdir("/dev/fd")) == before


def test_the_settings_survive_between_clients(link: PtyLink) -> None:
    with serial.Serial(link.path, 921600):
        pass
    client = os.open(link.path, os.O_RDWR | os.O_NOCTTY)
    try:
        assert termios.tcgetattr(client)[5] == termios.B921600
        assert not termios.tcgetattr(client)[3] & termios.ECHO
    finally:
        os.close(client)
