"""Raw TCP: one client at a time, whose coming and going the device sees, and who can vanish at any moment."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator

import pytest
import serial

from flashcore.errors import FlashcoreError, PortLostError
from flashcore.port import LineSupport
from flashcore.ports.serial_port import open_port
from simulator.board.board import HostBaud, HostBytes, HostClose, HostEvent, HostOpen
from simulator.board.decoys import Decoy
from simulator.kernel import S
from simulator.links.pump import Pace, Pump
from simulator.links.seat import CHUNK, Address, Seat
from simulator.links.tcp import TcpLink
from simulator.scenario import Scenario
from tests.links.clients import connect, poll_for, receive, serving

NO_LINGER = struct.pack("ii", 1, 0)


@pytest.fixture
def link() -> Iterator[TcpLink]:
    with TcpLink() as link:
        yield link


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        ("localhost", Address("localhost", 0), "localhost:0"),
        ("127.0.0.1:7000", Address("127.0.0.1", 7000), "127.0.0.1:7000"),
        ("0.0.0.0", Address("0.0.0.0", 0), "0.0.0.0:0"),
        (":7000", Address("", 7000), ":7000"),
        ("[::1]:7000", Address("::1", 7000), "[::1]:7000"),
        ("[::1]", Address("::1", 0), "[::1]:0"),
        ("::1", Address("::1", 0), "[::1]:0"),
    ],
)
def test_an_address_is_read_and_written(text: str, address: Address, shown: str) -> None:
    assert Address.parse(text) == address
    assert str(address) == shown


@pytest.mark.parametrize("text", ["host:x", "host:65536", "host:-1", "[::1", "[::1]7000", "host:٣"])
def test_an_address_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|is not a TCP port"):
        Address.parse(text)


def test_further_ports_count_up_from_a_given_one_and_are_any_otherwise() -> None:
    assert Address("h", 7000).behind(2) == Address("h", 7002)
    assert Address("h", 0).behind(2) == Address("h", 0)


def test_only_this_machine_can_connect_by_default(link: TcpLink) -> None:
    assert link.seat.address.host == "127.0.0.1"
    assert link.path == f"socket://127.0.0.1:{link.seat.address.port}"


def test_all_interfaces_are_reached_through_loopback_from_here() -> None:
    with TcpLink(Address("0.0.0.0")) as link:
        assert link.seat.address.host == "0.0.0.0"
        connect(link.seat.reachable).close()
        assert link.path.startswith("socket://127.0.0.1:")


def test_a_port_in_use_is_named() -> None:
    with TcpLink() as link, pytest.raises(FlashcoreError, match=r"cannot listen on 127\.0\.0\.1:\d+: Address already in use"):
        Seat(link.seat.address)


def test_a_client_is_seen_coming_speaking_and_going(link: TcpLink) -> None:
    assert link.poll(take_bytes=True) == []
    assert link.data_descriptor is None
    client = connect(link.seat.reachable)
    assert poll_for(link, HostOpen) == [HostOpen(), HostBaud(0)]
    client.sendall(b"hello")
    assert poll_for(link, HostBytes) == [HostBytes(b"hello")]
    client.close()
    assert poll_for(link, HostClose) == [HostClose()]
    assert link.data_descriptor is None


def test_bytes_written_just_before_closing_are_not_lost(link: TcpLink) -> None:
    with connect(link.seat.reachable) as client:
        client.sendall(b"bye")
    assert poll_for(link, HostClose) == [HostOpen(), HostBaud(0), HostBytes(b"bye"), HostClose()]


def test_every_byte_value_passes_both_ways_unchanged(link: TcpLink) -> None:
    everything = bytes(range(256)) * 4
    with connect(link.seat.reachable) as client:
        poll_for(link, HostOpen)
        client.sendall(everything)
        assert poll_for(link, HostBytes) == [HostBytes(everything)]
        assert link.send(everything) == len(everything)
        assert receive(client, len(everything)) == everything


def test_a_second_client_is_told_at_once_and_the_first_does_not_notice(link: TcpLink) -> None:
    with connect(link.seat.reachable) as first:
        poll_for(link, HostOpen)
        with connect(link.seat.reachable) as second:
            while not link.seat.refused:
                assert link.poll(take_bytes=True) == []
            assert second.recv(1) == b""
        first.sendall(b"still here")
        assert poll_for(link, HostBytes) == [HostBytes(b"still here")]
        assert link.send(b"yes") == 3
        assert first.recv(3) == b"yes"


def test_a_client_that_follows_one_that_has_just_left_is_let_in(link: TcpLink) -> None:
    first = connect(link.seat.reachable)
    poll_for(link, HostOpen)
    first.sendall(b"last words")
    first.close()
    with connect(link.seat.reachable) as second:
        # The device has no room, so nobody would have noticed that the first one left.
        events: list[HostEvent] = []
        while HostOpen() not in events:
            events += link.poll(take_bytes=False)
        assert events == [HostBytes(b"last words"), HostClose(), HostOpen(), HostBaud(0)]
        second.sendall(b"me")
        assert poll_for(link, HostBytes) == [HostBytes(b"me")]
    assert link.seat.refused == 0


def test_a_client_that_vanishes_with_a_reset_is_seen_going_once(link: TcpLink) -> None:
    client = connect(link.seat.reachable)
    poll_for(link, HostOpen)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    client.close()
    for _ in range(3):
        assert link.send(b"into the void") in (0, 13)
    events: list[HostEvent] = []
    while not events:
        events += link.poll(take_bytes=False) + link.poll(take_bytes=True)
    assert events == [HostClose()]
    assert link.poll(take_bytes=True) == []


def test_bytes_stay_with_the_client_while_the_device_has_no_room(link: TcpLink) -> None:
    with connect(link.seat.reachable) as client:
        poll_for(link, HostOpen)
        client.sendall(b"later")
        assert link.poll(take_bytes=False) == []
        assert poll_for(link, HostBytes) == [HostBytes(b"later")]


def test_a_client_that_does_not_read_stops_the_sender(link: TcpLink) -> None:
    with connect(link.seat.reachable):
        poll_for(link, HostOpen)
        taken = 0
        while more := link.send(bytes(1 << 16)):
            taken += more
            assert taken < 8 << 20
        assert taken


def test_a_sender_that_is_not_read_is_stopped(link: TcpLink) -> None:
    with connect(link.seat.reachable) as client:
        poll_for(link, HostOpen)
        client.setblocking(False)
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while sent < 32 << 20:
                sent += client.send(bytes(1 << 16))
        assert 0 < sent < 32 << 20
        assert sum(len(event.data) for event in link.poll(take_bytes=True) if isinstance(event, HostBytes)) <= CHUNK


def test_small_packets_are_not_held_back(link: TcpLink) -> None:
    with connect(link.seat.reachable):
        poll_for(link, HostOpen)
        assert link.data_descriptor is not None
        with socket.socket(fileno=os.dup(link.data_descriptor)) as server:
            assert server.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert server.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_closing_leaves_no_descriptor_and_the_client_sees_it() -> None:
    before = sorted(os.listdir("/dev/fd"))
    link = TcpLink()
    with connect(link.seat.reachable) as client:
        poll_for(link, HostOpen)
        link.close()
        link.close()
        assert client.recv(1) == b""
    assert sorted(os.listdir("/dev/fd")) == before


def test_what_the_device_says_to_nobody_does_not_reach_the_next_client(link: TcpLink) -> None:
    wall = 0
    pump = Pump(Decoy("gps"), link, clock=lambda: wall)
    with connect(link.seat.reachable):
        while link.data_descriptor is None:
            pump.step()
    while link.data_descriptor is not None:
        pump.step()
    wall = 10 * S
    pump.step()
    with connect(link.seat.reachable) as client:
        while link.data_descriptor is None:
            pump.step()
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(1)
        wall += 2 * S
        pump.step()
        client.setblocking(True)
        assert client.recv(7).startswith(b"$GPRMC,")


def test_the_adapter_takes_the_rate_of_the_chip_when_the_link_has_none() -> None:
    board = Scenario(download=True).build().device
    board.submit(HostOpen())
    board.submit(HostBaud(0))
    board.submit(HostBytes(b"x"))
    assert board.adapter.baudrate == 115200
    board.submit(HostBaud(9600))
    board.submit(HostBytes(b"x"))
    assert board.adapter.baudrate == 9600


@pytest.mark.parametrize("pace", list(Pace))
def test_pyserial_talks_to_a_served_device(pace: Pace) -> None:
    with (
        TcpLink() as link,
        serving(Pump(Decoy("echo"), link, pace=pace)),
        serial.serial_for_url(link.path, baudrate=115200, timeout=20) as port,
    ):
        port.write(b"hello")
        assert port.read(5) == b"hello"


def test_many_clients_are_served_by_one_loop() -> None:
    links = [TcpLink() for _ in range(20)]
    try:
        with serving(*(Pump(Decoy("echo"), link, pace=Pace.MAX) for link in links)):
            for _ in range(2):
                clients = [connect(link.seat.reachable) for link in links]
                for number, client in enumerate(clients):
                    client.sendall(b"%04d" % number * 1000)
                for number, client in enumerate(clients):
                    with client:
                        assert receive(client, 4000) == b"%04d" % number * 1000
    finally:
        for link in links:
            link.close()


def test_the_loop_turns_only_to_pumps_that_have_something_to_do() -> None:
    class Counting(Pump):
        steps = 0

        def step(self) -> None:
            self.steps += 1
            super().step()

    with TcpLink() as busy, TcpLink() as idle:
        pumps = [Counting(Decoy("echo"), link, pace=Pace.MAX) for link in (busy, idle)]
        with serving(*pumps), connect(busy.seat.reachable) as client:
            for _ in range(5):
                client.sendall(b"x")
                assert client.recv(1) == b"x"
        assert pumps[0].steps >= 5
        assert pumps[1].steps == 1


def test_flashcore_takes_all_that_waits_on_a_socket_at_once(link: TcpLink) -> None:
    port = open_port(link.path)
    try:
        poll_for(link, HostOpen)
        assert port.line_support is LineSupport.NONE
        port.write(b"question", port.clock.now_ns() + 30 * S)
        assert poll_for(link, HostBytes) == [HostBytes(b"question")]
        link.send(bytes(5000))
        assert len(port.read(8192, port.clock.now_ns() + 30 * S)) > 1
        link.close()
        with contextlib.suppress(PortLostError):
            while True:
                assert port.read(8192, port.clock.now_ns() + 30 * S), "the end of the connection is not noticed"
    finally:
        port.close()
