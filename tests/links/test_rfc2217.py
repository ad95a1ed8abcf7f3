"""RFC 2217: every option is answered at once, data passes unharmed, and a reset works although each change takes 50 ms."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator, Sequence

import pytest
import serial
from hypothesis import given
from hypothesis import strategies as st

from simulator.board.board import HostBaud, HostBytes, HostClose, HostDiscard, HostEvent, HostLines, HostOpen
from simulator.board.decoys import Decoy
from simulator.kernel import MS, Kernel
from simulator.links.line_modes import HOLD_NS, LineMode, Literal, Replay
from simulator.links.pump import BACKLOG, Pace, Pump
from simulator.links.rfc2217 import Rfc2217Link
from simulator.links.telnet_port import LONGEST_OPTION, SIGNATURE, TelnetPort, escaped
from simulator.scenario import Scenario, World
from tests.links.clients import connect, poll_for, receive, serving

IAC, SB, SE, DO, WILL, WONT, DONT = b"\xff", b"\xfa", b"\xf0", b"\xfd", b"\xfb", b"\xfc", b"\xfe"
COM_PORT = b"\x2c"
AGREES = IAC + DO + COM_PORT + IAC + WILL + COM_PORT

from_pyserial = pytest.mark.filterwarnings("ignore:set(Daemon|Name)\\(\\) is deprecated:DeprecationWarning")


def option(code: int, value: bytes = b"") -> bytes:
    return IAC + SB + COM_PORT + bytes([code]) + escaped(value) + IAC + SE


class Session:
    """A telnet session without a network."""

    def __init__(self) -> None:
        self.events: list[HostEvent] = []
        self.output = bytearray()
        self.port = TelnetPort(self.events.append, Literal(self.events.append), self.output)
        self.events.clear()
        self.output.clear()

    def tell(self, data: bytes) -> bytes:
        """Return the server's answer to `data`."""
        self.output.clear()
        self.port.receive(data)
        return bytes(self.output)

    @property
    def heard(self) -> bytes:
        return b"".join(event.data for event in self.events if isinstance(event, HostBytes))


@pytest.mark.parametrize(
    ("code", "value", "answer"),
    [
        (0, b"", SIGNATURE),
        (1, struct.pack("!I", 921600), struct.pack("!I", 921600)),
        (1, struct.pack("!I", 0), struct.pack("!I", 115200)),
        (1, b"\x00\xff\xff\xff", b"\x00\xff\xff\xff"),
        (1, b"\x01\x02", struct.pack("!I", 115200)),
        (2, b"\x07", b"\x07"),
        (2, b"\x00", b"\x08"),
        (2, b"\x09", b"\x08"),
        (3, b"\x03", b"\x03"),
        (3, b"\x00", b"\x01"),
        (3, b"\x77", b"\x01"),
        (4, b"\x02", b"\x02"),
        (4, b"\x00", b"\x01"),
        (4, b"", b"\x01"),
        (5, b"\x00", b"\x01"),
        (5, b"\x01", b"\x01"),
        (5, b"\x02", b"\x02"),
        (5, b"\x03", b"\x03"),
        (5, b"\x04", b"\x06"),
        (5, b"\x05", b"\x05"),
        (5, b"\x06", b"\x06"),
        (5, b"\x07", b"\x09"),
        (5, b"\x08", b"\x08"),
        (5, b"\x09", b"\x09"),
        (5, b"\x0a", b"\x0c"),
        (5, b"\x0b", b"\x0b"),
        (5, b"\x0c", b"\x0c"),
        (5, b"\x0d", b"\x0e"),
        (5, b"\x10", b"\x0e"),
        (5, b"\x13", b"\x01"),
        (6, b"", b"\x00"),
        (7, b"", b"\x00"),
        (10, b"\x0f", b"\x0f"),
        (11, b"\xff", b"\xff"),
        (12, b"\x01", b"\x01"),
        (12, b"\x02", b"\x02"),
        (12, b"\x03", b"\x03"),
    ],
)
def test_an_option_is_answered_at_once_with_the_value_in_force(code: int, value: bytes, answer: bytes) -> None:
    assert Session().tell(option(code, value)) == option(code + 100, answer)


@pytest.mark.parametrize(("code", "value"), [(5, b"\x14"), (5, b""), (5, b"\x08\x08"), (12, b"\x04"), (10, b""), (99, b"x")])
def test_an_option_that_means_nothing_has_no_answer_and_no_effect(code: int, value: bytes) -> None:
    session = Session()
    assert session.tell(option(code, value)) == b""
    assert session.events == []


def test_the_states_that_were_set_are_the_ones_in_force() -> None:
    session = Session()
    session.tell(option(1, struct.pack("!I", 74880)) + option(5, b"\x05") + option(5, b"\x08") + option(5, b"\x0b"))
    asked = option(1, bytes(4)) + option(5, b"\x04") + option(5, b"\x07") + option(5, b"\x0a")
    in_force = option(101, struct.pack("!I", 74880)) + option(105, b"\x05") + option(105, b"\x08") + option(105, b"\x0b")
    assert session.tell(asked) == in_force


def test_options_and_data_stay_in_order() -> None:
    session = Session()
    session.tell(b"a" + option(1, struct.pack("!I", 9600)) + b"b" + option(5, b"\x0b") + b"c" + option(12, b"\x03") + b"d")
    assert session.events == [
        HostBytes(b"a"),
        HostBaud(9600),
        HostBytes(b"b"),
        HostLines(dtr=False, rts=True),
        HostBytes(b"c"),
        HostDiscard(),
        HostBytes(b"d"),
    ]


def test_a_rate_that_is_set_again_is_no_event() -> None:
    session = Session()
    session.tell(option(1, struct.pack("!I", 115200)))
    assert session.events == []


def test_a_server_offers_and_asks_for_what_rfc_2217_needs() -> None:
    output = bytearray()
    TelnetPort(lambda _: None, Literal(lambda _: None), output)
    assert IAC + WILL + COM_PORT in output
    assert IAC + DO + b"\x00" in output


def test_a_client_that_agrees_gets_the_modem_state() -> None:
    assert option(107, b"\x00") in Session().tell(AGREES)


def test_options_of_telnet_that_we_do_not_have_are_refused() -> None:
    session = Session()
    assert session.tell(IAC + DO + b"\x18") == IAC + WONT + b"\x18"
    assert session.tell(IAC + WILL + b"\x18") == IAC + DONT + b"\x18"
    assert session.tell(IAC + WONT + b"\x18" + IAC + DONT + b"\x18") == b""


def test_data_goes_through_in_one_piece() -> None:
    session = Session()
    data = bytes(range(256)) * 64
    session.tell(escaped(data))
    assert session.events == [HostBytes(data)]


def test_an_endless_option_is_forgotten_and_does_not_become_data() -> None:
    session = Session()
    session.tell(IAC + SB + COM_PORT + b"\x01" + b"x" * 10_000)
    assert session.port.manager.suboption is not None
    assert len(session.port.manager.suboption) <= LONGEST_OPTION
    assert session.tell(IAC + SE) == b""
    assert session.tell(b"data" + option(7)) == option(107, b"\x00")
    assert session.events == [HostBytes(b"data")]


def test_an_end_without_a_start_is_nothing() -> None:
    session = Session()
    session.tell(IAC + SE + b"on")
    assert session.heard == b"on"


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=5))
def test_any_data_passes_however_it_is_cut(data: bytes, cuts: Sequence[int]) -> None:
    session = Session()
    text = escaped(data)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    for start, end in itertools.pairwise(edges):
        session.tell(text[start:end])
    assert session.heard == data


TELNET = st.sampled_from([IAC, SB, SE, DO, WILL, WONT, DONT, COM_PORT, IAC + SB + COM_PORT, IAC + SE, b"\x00", b"\xf1"])
OPTION = st.builds(option, st.integers(0, 255), st.binary(max_size=6))
NOISE = st.lists(st.one_of(TELNET, OPTION, st.binary(max_size=8)), max_size=60).map(b"".join)


@given(NOISE, st.integers(0, 200))
def test_any_bytes_are_survived_and_make_no_more_of_themselves(noise: bytes, cut: int) -> None:
    session = Session()
    answers = len(session.tell(noise[:cut])) + len(session.tell(noise[cut:]))
    assert answers <= 8 * len(noise) + 64
    assert len(session.heard) <= len(noise)
    assert len(session.port.manager.suboption or b"") <= LONGEST_OPTION
    # Two ends bring it back to where an option can start, whatever came before.
    session.tell(IAC + SE + IAC + SE)
    assert session.tell(option(0)) == option(100, SIGNATURE)


class Circuit:
    """What the lines of a device are told, with a clock."""

    def __init__(self) -> None:
        self.kernel = Kernel()
        self.lines: list[tuple[float, bool, bool]] = []
        self.replay = Replay(self.take, self.take, self.kernel)

    def take(self, lines: HostLines) -> None:
        self.lines.append((self.kernel.now / MS, lines.dtr, lines.rts))

    def tell(self, *states: tuple[int, int], every_ms: int = 50) -> list[tuple[float, bool, bool]]:
        """Set the lines to each of `states` in turn, and return what became of it until long after."""
        self.lines.clear()
        for dtr, rts in states:
            self.replay.set(dtr=bool(dtr), rts=bool(rts))
            self.kernel.advance(self.kernel.now + every_ms * MS)
        self.kernel.advance(self.kernel.now + 2 * HOLD_NS)
        return self.lines


def test_the_classic_sequence_is_finished_by_the_server_without_the_state_in_between() -> None:
    assert Circuit().tell((0, 0), (0, 1), (1, 1), (1, 0), (0, 0)) == [
        (50, False, True),
        (100, True, False),
        (100 + HOLD_NS / MS, False, False),
    ]


def test_the_first_try_may_start_from_both_lines_asserted_as_pyserial_opens_a_port() -> None:
    lines = Circuit().tell((1, 0), (1, 1), (0, 1), (1, 1), (1, 0), (0, 0))
    assert [state[1:] for state in lines] == [(True, False), (True, True), (False, True), (True, False), (False, False)]


def test_a_hard_reset_is_as_long_as_the_client_makes_it() -> None:
    assert Circuit().tell((0, 1), (0, 0), every_ms=100) == [(0, False, True), (100, False, False)]


def test_a_client_that_leaves_boot_low_at_the_end_leaves_the_lines_released() -> None:
    circuit = Circuit()
    assert circuit.tell((0, 1), (1, 1), (1, 0))[-1][1:] == (False, False)
    assert [state[1:] for state in circuit.tell((1, 1), (0, 1), (1, 1), (1, 0), (0, 0))] == [
        (False, True),
        (True, False),
        (False, False),
    ]


def test_a_new_reset_cuts_the_one_before_short() -> None:
    lines = Circuit().tell((0, 1), (1, 1), (0, 1), (0, 0))
    assert lines == [(0, False, True), (50, True, False), (100, False, True), (150, False, False)]


def test_a_sequence_that_is_wrong_stays_wrong() -> None:
    assert [state[1:] for state in Circuit().tell((1, 0), (1, 1), (0, 1), (0, 0))] == [
        (True, False),
        (True, True),
        (False, True),
        (False, False),
    ]


def test_a_client_that_goes_in_the_middle_leaves_the_lines_released() -> None:
    circuit = Circuit()
    for state in ((False, True), (True, True)):
        circuit.replay.set(dtr=state[0], rts=state[1])
    circuit.replay.end()
    circuit.kernel.advance(2 * HOLD_NS)
    assert [state[1:] for state in circuit.lines] == [(False, True), (True, False), (False, False)]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30))
def test_whatever_a_client_does_it_ends_with_released_lines_and_no_timer(states: list[tuple[bool, bool]]) -> None:
    circuit = Circuit()
    for dtr, rts in states:
        circuit.replay.set(dtr=dtr, rts=rts)
    circuit.replay.end()
    assert circuit.kernel.next_deadline() is None
    assert not circuit.lines or circuit.lines[-1][1:] == (False, False)


def test_literal_lines_change_as_they_are_told() -> None:
    changes: list[HostLines] = []
    lines = Literal(changes.append)
    for dtr, rts in ((False, True), (True, True), (True, True), (True, False)):
        lines.set(dtr=dtr, rts=rts)
    lines.end()
    assert [(change.dtr, change.rts) for change in changes] == [(False, True), (True, True), (True, False), (False, False)]


@pytest.fixture
def link() -> Iterator[Rfc2217Link]:
    with Rfc2217Link(Decoy("echo"), lines=LineMode.LITERAL) as link:
        yield link


def test_a_session_starts_at_a_known_rate_and_ends_with_released_lines(link: Rfc2217Link) -> None:
    client = connect(link.seat.reachable)
    assert poll_for(link, HostOpen) == [HostOpen(), HostBaud(115200)]
    client.sendall(option(5, b"\x08"))
    assert poll_for(link, HostLines) == [HostLines(dtr=True, rts=False)]
    client.close()
    assert poll_for(link, HostClose) == [HostLines(dtr=False, rts=False), HostClose()]


def test_the_next_client_does_not_inherit_what_the_one_before_left_unfinished(link: Rfc2217Link) -> None:
    with connect(link.seat.reachable) as client:
        poll_for(link, HostOpen)
        client.sendall(b"x" + IAC + SB + COM_PORT)
        poll_for(link, HostBytes)
    poll_for(link, HostClose)
    with connect(link.seat.reachable) as client:
        poll_for(link, HostOpen)
        client.sendall(b"data")
        assert poll_for(link, HostBytes) == [HostBytes(b"data")]


def test_bytes_for_the_client_have_ff_doubled(link: Rfc2217Link) -> None:
    with connect(link.seat.reachable) as client:
        poll_for(link, HostOpen)
        assert link.send(b"\xff\x00\xff\xff") == 4
        expected = b"\xff\xff\x00\xff\xff\xff\xff"
        heard = b""
        while not heard.endswith(expected):
            heard += receive(client, 1)


def test_a_client_that_does_not_read_cannot_make_the_server_keep_more_and_more(link: Rfc2217Link) -> None:
    pump = Pump(Decoy("gps"), link, pace=Pace.MAX)
    with connect(link.seat.reachable) as client:
        poll_for(link, HostOpen)
        client.setblocking(False)
        questions = option(0) * 500
        most = blocked = 0
        while blocked < 100:
            try:
                client.send(questions)
                blocked = 0
            except BlockingIOError:
                blocked += 1
            pump.step()
            most = max(most, link.pending)
        assert BACKLOG < most <= BACKLOG + 8 * 16384


def test_what_does_not_fit_is_sent_whole_when_the_client_reads(link: Rfc2217Link) -> None:
    with connect(link.seat.reachable) as client:
        poll_for(link, HostOpen)
        block = bytes([255, 1]) * 30_000
        count = 0
        while link.send(block):
            count += 1
        assert link.pending
        heard = bytearray()
        expected = count * len(escaped(block))
        while len(heard) < expected:
            heard += client.recv(1 << 16)
            link.poll(take_bytes=False)
        assert heard.endswith(escaped(block))
        assert not link.pending


def lines_of(world: World) -> list[str]:
    return [event.content.decode() for event in world.journal.events if event.kind == "lines"]


@from_pyserial
@pytest.mark.parametrize("suffix", ["", "?ign_set_control"])
def test_pyserial_talks_to_a_served_device(suffix: str) -> None:
    device = Decoy("echo")
    everything = bytes(range(256))
    with (
        Rfc2217Link(device) as link,
        serving(Pump(device, link, pace=Pace.MAX)),
        serial.serial_for_url(link.path + suffix, baudrate=921600, timeout=20) as port,
    ):
        port.write(everything)
        assert port.read(256) == everything
        port.reset_input_buffer()
        port.baudrate = 74880
        assert (port.cts, port.dsr, port.ri, port.cd) == (False, False, False, False)
        port.write(b"again")
        assert port.read(5) == b"again"
    assert device.adapter.baudrate == 74880


@from_pyserial
@pytest.mark.parametrize(("mode", "boot"), [(LineMode.REPLAY, "DOWNLOAD_BOOT"), (LineMode.LITERAL, "FAST_FLASH_BOOT")])
def test_the_classic_reset_through_pyserial_works_only_when_replayed(mode: LineMode, boot: str) -> None:
    world = Scenario(board="ttgo-lora32-v1", keep_events=True).build()
    with (
        Rfc2217Link(world.device, lines=mode) as link,
        serving(Pump(world.device, link)),
        serial.serial_for_url(link.path, baudrate=115200, timeout=20) as port,
    ):
        port.dtr = False
        port.rts = True
        port.reset_input_buffer()
        port.dtr = True
        port.rts = False
        port.dtr = False
        banner = port.read_until(b")\r\n")
        assert boot.encode() in banner
    assert "dtr=0 rts=1" in lines_of(world)
