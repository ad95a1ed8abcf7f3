"""The WebSocket: who gets in, and what a client's messages mean for the device."""

from __future__ import annotations

import json
import os
import selectors
import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from simulator.board.board import HostBaud, HostBytes, HostClose, HostEvent, HostLines, HostOpen
from simulator.board.bridge import bridge
from simulator.board.decoys import Decoy
from simulator.links.pump import Pace, Pump
from simulator.links.web_port import PIECE, WebPort
from simulator.links.websocket import MAX_KEPT, MAX_MESSAGE, MAX_PEERS, MAX_TEXT, WebSocketLink

SPEC = bridge("CP2102N")
QUIET = replace(SPEC, lines_on_open=None, lines_on_close=None)
OPENED = [HostOpen(), HostLines(True, True), HostBaud(115200)]
CLOSED = [HostLines(False, False), HostClose()]


class Client:
    """A client that never waits: whoever uses it lets the server run in between."""

    def __init__(self, address: str, run: Callable[[], object], **headers: str) -> None:
        self.uri = parse_uri(address)
        self.run = run
        self.socket = socket.create_connection((self.uri.host, self.uri.port))
        self.socket.setblocking(False)
        self.protocol = ClientProtocol(self.uri, max_size=None)
        self.frames: deque[Frame] = deque()
        self.ended = False
        request = self.protocol.connect()
        for name, value in headers.items():
            request.headers[name] = value
        self.protocol.send_request(request)
        self.until(lambda: self.protocol.state is not State.CONNECTING or self.ended)

    @property
    def refusal(self) -> Response | None:
        error = self.protocol.handshake_exc
        return error.response if isinstance(error, InvalidStatus) else None

    def flush(self) -> None:
        for data in self.protocol.data_to_send():
            if data:
                self.socket.setblocking(True)
                self.socket.sendall(data)
                self.socket.setblocking(False)

    def turn(self) -> None:
        self.flush()
        self.run()
        try:
            data = self.socket.recv(1 << 20)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if data:
            self.protocol.receive_data(data)
        elif not self.ended:
            self.ended = True
            self.protocol.receive_eof()
        self.frames += [event for event in self.protocol.events_received() if isinstance(event, Frame)]

    def until(self, holds: Callable[[], object]) -> None:
        for _ in range(20_000):
            if holds():
                return
            self.turn()
        raise AssertionError("it does not come about")

    def texts(self) -> list[dict[str, object]]:
        found = [json.loads(bytes(frame.data)) for frame in self.frames if frame.opcode is Opcode.TEXT]
        self.frames = deque(frame for frame in self.frames if frame.opcode is not Opcode.TEXT)
        return found

    @property
    def heard(self) -> bytes:
        return b"".join(frame.data for frame in self.frames if frame.opcode is Opcode.BINARY)

    def hello(self) -> dict[str, object]:
        self.until(lambda: self.frames)
        (text,) = self.texts()
        return text

    def say(self, **message: object) -> None:
        self.protocol.send_text(json.dumps(message).encode())
        self.flush()

    def ask(self, **message: object) -> dict[str, object]:
        """Send a request and return its answer."""
        self.say(id=7, **message)
        answers: list[dict[str, object]] = []

        def answered() -> bool:
            answers.extend(text for text in self.texts() if text.get("id") == 7)
            return bool(answers)

        self.until(answered)
        (answer,) = answers
        return answer

    def send(self, data: bytes) -> None:
        self.protocol.send_binary(data)
        self.flush()

    def vanish(self) -> None:
        self.socket.close()


class Server:
    """A link without a device behind it; remembers what the device would have been told."""

    def __init__(self, link: WebSocketLink) -> None:
        self.link = link
        self.events: list[HostEvent] = []
        self.room = True

    def run(self) -> None:
        self.events += self.link.poll(take_bytes=self.room)

    def taken(self) -> list[HostEvent]:
        """Return the events since the last call."""
        events, self.events = self.events, []
        return events


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def server(stack: ExitStack) -> Server:
    return Server(stack.enter_context(WebSocketLink(SPEC)))


@pytest.fixture
def connect(server: Server, stack: ExitStack) -> Callable[..., Client]:
    def connect(address: str = "", **headers: str) -> Client:
        client = Client(address or server.link.path, server.run, **headers)
        stack.callback(client.vanish)
        return client

    return connect


@pytest.fixture
def client(connect: Callable[..., Client]) -> Client:
    client = connect()
    client.hello()
    return client


@pytest.fixture
def opened(client: Client, server: Server) -> Client:
    assert client.ask(open={"baudRate": 115200}) == {"id": 7, "ok": {}}
    client.until(lambda: server.events)
    assert server.taken() == OPENED
    return client


def status(client: Client) -> int:
    assert client.refusal is not None
    return client.refusal.status_code


def test_a_client_is_told_first_who_the_adapter_is(connect: Callable[..., Client]) -> None:
    assert connect().hello() == {"hello": {"version": 1, "info": {"usbVendorId": 0x10C4, "usbProductId": 0xEA60}}}


def test_an_adapter_without_an_identity_names_none() -> None:
    assert json.loads(WebPort(bridge("ideal")).greeting()) == {"hello": {"version": 1, "info": {}}}


@pytest.mark.parametrize("path", ["/", "/wrong", "/{token}x", "/{token}/", "/{token}?x", "/x{token}", "//{token}"])
def test_without_the_exact_token_nobody_gets_in(server: Server, connect: Callable[..., Client], path: str) -> None:
    base, token = server.link.path.rsplit("/", 1)
    assert status(connect(base + path.format(token=token))) == 403


def test_the_token_is_long_and_another_each_time() -> None:
    with WebSocketLink(SPEC) as one, WebSocketLink(SPEC) as two:
        tokens = {link.path.rsplit("/", 1)[1] for link in (one, two)}
    assert len(tokens) == 2
    assert min(map(len, tokens)) >= 22


@pytest.mark.parametrize("origin", ["http://localhost:8080", "http://127.0.0.1:1234", "http://[::1]:5", "https://localhost"])
def test_pages_of_this_machine_are_let_in(connect: Callable[..., Client], origin: str) -> None:
    assert connect(Origin=origin).refusal is None


@pytest.mark.parametrize("origin", ["https://example.org", "http://localhost.example.org", "http://[", "null", "http://0x7f.1"])
def test_pages_from_elsewhere_are_not(connect: Callable[..., Client], origin: str) -> None:
    assert status(connect(Origin=origin)) == 403


@pytest.mark.parametrize("allowed", ["https://example.org", "*"])
def test_pages_whose_origin_was_named_are_let_in(stack: ExitStack, allowed: str) -> None:
    server = Server(stack.enter_context(WebSocketLink(SPEC, origins=[allowed])))
    client = Client(server.link.path, server.run, Origin="https://example.org")
    stack.callback(client.vanish)
    assert client.hello()


def test_only_this_machine_is_listened_to(server: Server) -> None:
    assert server.link.path.startswith("ws://127.0.0.1:")


def test_a_second_client_is_refused_while_the_first_stays(client: Client, connect: Callable[..., Client]) -> None:
    assert status(connect()) == 503
    client.vanish()
    assert connect().hello()


def test_opening_and_closing_reach_the_device_with_what_the_driver_does_to_the_lines(opened: Client, server: Server) -> None:
    assert opened.ask(close={}) == {"id": 7, "ok": {}}
    assert opened.ask(open={"baudRate": 921600}) == {"id": 7, "ok": {}}
    opened.until(lambda: len(server.events) == 5)
    assert server.taken() == [*CLOSED, HostOpen(), HostLines(True, True), HostBaud(921600)]


def test_a_line_that_is_not_named_stays_as_it_is(opened: Client, server: Server) -> None:
    for signals in ({"requestToSend": False}, {"dataTerminalReady": False}, {"dataTerminalReady": True, "requestToSend": True}):
        assert opened.ask(setSignals=signals) == {"id": 7, "ok": {}}
    assert server.taken() == [HostLines(True, False), HostLines(False, False), HostLines(True, True)]


def test_a_break_changes_no_line(opened: Client, server: Server) -> None:
    assert opened.ask(setSignals={"break": True}) == {"id": 7, "ok": {}}
    assert server.taken() == []


def test_the_inputs_of_the_adapter_are_open(opened: Client) -> None:
    inputs = {"dataCarrierDetect": False, "clearToSend": False, "ringIndicator": False, "dataSetReady": False}
    assert opened.ask(getSignals={}) == {"id": 7, "ok": inputs}


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ({"open": {}}, "TypeError"),
        ({"open": {"baudRate": 0}}, "TypeError"),
        ({"open": {"baudRate": True}}, "TypeError"),
        ({"open": {"baudRate": 1 << 32}}, "TypeError"),
        ({"open": {"baudRate": 9600, "window": -1}}, "TypeError"),
        ({"open": 115200}, "TypeError"),
        ({"close": {}}, "InvalidStateError"),
        ({"setSignals": {"requestToSend": True}}, "InvalidStateError"),
        ({"getSignals": {}}, "InvalidStateError"),
        ({"reset": {}}, "NotSupportedError"),
        ({}, "TypeError"),
        ({"close": {}, "open": {"baudRate": 9600}}, "TypeError"),
    ],
)
def test_a_call_that_cannot_be_is_refused_and_changes_nothing(
    client: Client, server: Server, message: dict[str, object], name: str
) -> None:
    error = client.ask(**message)["error"]
    assert isinstance(error, dict)
    assert error["name"] == name
    assert server.taken() == []


@pytest.mark.parametrize("signals", [{}, {"requestToSend": 1}, {"clearToSend": True}, {"requestToSend": None}])
def test_signals_that_are_none_are_refused(opened: Client, server: Server, signals: dict[str, object]) -> None:
    assert "error" in opened.ask(setSignals=signals)
    assert server.taken() == []


def test_an_open_port_cannot_be_opened(opened: Client, server: Server) -> None:
    error = {"name": "InvalidStateError", "message": "the port is already open"}
    assert opened.ask(open={"baudRate": 9600}) == {"id": 7, "error": error}
    assert server.taken() == []


def test_data_and_calls_reach_the_device_in_their_order(opened: Client, server: Server) -> None:
    opened.send(b"one")
    opened.say(id=1, setSignals={"requestToSend": False})
    opened.send(b"two")
    opened.say(id=2, close={})
    opened.until(lambda: HostClose() in server.events)
    assert server.taken() == [HostBytes(b"one"), HostLines(True, False), HostBytes(b"two"), *CLOSED]


def test_the_client_learns_what_the_device_has_taken(opened: Client, server: Server) -> None:
    server.room = False
    opened.send(bytes(PIECE + 5))
    opened.ask(getSignals={})
    assert server.taken() == []
    server.room = True
    opened.until(lambda: len(server.events) == 2)
    assert server.taken() == [HostBytes(bytes(PIECE)), HostBytes(bytes(5))]
    opened.until(lambda: opened.frames)
    took = [text["took"] for text in opened.texts()]
    assert took[-1] == PIECE + 5


def test_large_data_comes_in_pieces_that_a_driver_takes(opened: Client, server: Server) -> None:
    data = bytes(range(256)) * 1000
    opened.send(data)
    opened.until(lambda: sum(len(event.data) for event in server.events if isinstance(event, HostBytes)) == len(data))
    pieces = [event.data for event in server.taken() if isinstance(event, HostBytes)]
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) == PIECE


def test_data_for_a_closed_port_leads_nowhere(client: Client, server: Server) -> None:
    client.send(b"lost")
    client.ask(open={"baudRate": 115200})
    assert server.taken() == OPENED


def test_bytes_written_just_before_vanishing_are_not_lost(opened: Client, server: Server) -> None:
    opened.send(b"bye")
    opened.vanish()
    for _ in range(100):
        server.run()
    assert server.taken() == [HostBytes(b"bye"), *CLOSED]


def test_a_client_that_ends_the_connection_properly_has_closed_the_port(opened: Client, server: Server) -> None:
    opened.protocol.send_close()
    opened.until(lambda: opened.ended)
    assert server.taken() == CLOSED


def test_every_byte_value_reaches_the_client_unchanged(opened: Client, server: Server) -> None:
    assert server.link.send(bytes(range(256))) == 256
    opened.until(lambda: len(opened.heard) == 256)
    assert opened.heard == bytes(range(256))


def test_what_the_device_says_while_the_port_is_closed_is_dropped(opened: Client, server: Server) -> None:
    opened.ask(close={})
    assert server.link.send(b"old") == 3
    opened.ask(open={"baudRate": 115200})
    server.link.send(b"new")
    opened.until(lambda: opened.heard)
    assert opened.heard == b"new"


def test_until_the_device_knows_of_the_new_session_its_words_belong_to_the_old(opened: Client, server: Server) -> None:
    server.room = False
    opened.send(b"still on its way")
    opened.ask(close={})
    opened.ask(open={"baudRate": 115200})
    assert server.link.send(b"old") == 3
    server.room = True
    opened.until(lambda: HostOpen() in server.events)
    server.link.send(b"new")
    opened.until(lambda: opened.heard)
    assert opened.heard == b"new"


def test_no_more_than_the_window_is_on_its_way_to_the_client(client: Client, server: Server) -> None:
    client.ask(open={"baudRate": 115200, "window": 100})
    assert server.link.send(bytes(150)) == 100
    assert server.link.send(bytes(50)) == 0
    client.say(got=60)
    client.ask(getSignals={})
    assert server.link.send(bytes(150)) == 60


@pytest.mark.parametrize("count", [-1, 11, True, "1", None])
def test_a_wrong_count_opens_no_window(client: Client, server: Server, count: object) -> None:
    client.ask(open={"baudRate": 115200, "window": 10})
    assert server.link.send(bytes(20)) == 10
    client.say(got=count)
    client.until(lambda: client.frames and any("error" in text for text in client.texts()))
    assert server.link.send(bytes(20)) == 0


def test_a_client_that_does_not_read_stops_the_sender(opened: Client, server: Server) -> None:
    total = 0
    while taken := server.link.send(bytes(1 << 16)):
        total += taken
        assert total < 64 << 20
    assert total
    opened.until(lambda: server.link.send(b"x"))


def test_a_client_that_only_asks_and_never_reads_is_not_heard_any_more(opened: Client, server: Server) -> None:
    opened.protocol.send_text(json.dumps({"id": "x" * 3000, "getSignals": {}}).encode())
    (message,) = opened.protocol.data_to_send()
    sent = 0
    for _ in range(100_000):
        try:
            sent += opened.socket.send(message)
        except BlockingIOError:
            if sent > 1 << 20:
                break
        server.run()
    else:
        raise AssertionError("the server takes everything")
    assert max(len(peer.outgoing) for peer in server.link._peers) < MAX_KEPT * 3


def test_a_device_without_room_stops_the_client(opened: Client, server: Server) -> None:
    server.room = False
    opened.protocol.send_binary(bytes(60_000))
    (message,) = opened.protocol.data_to_send()
    for _ in range(1000):
        try:
            if opened.socket.send(message) < len(message):
                break
        except BlockingIOError:
            break
        server.run()
    else:
        raise AssertionError("the server takes everything")
    assert server.link._port.waiting_bytes < 4 * MAX_KEPT
    assert server.taken() == []


@pytest.mark.parametrize(
    ("opcode", "data", "code"),
    [
        (Opcode.BINARY, bytes(MAX_MESSAGE + 1), 1009),
        (Opcode.TEXT, b" " * (MAX_TEXT + 1), 1009),
        (Opcode.TEXT, b"\xff", 1007),
    ],
)
def test_a_message_beyond_all_bounds_ends_the_connection(
    opened: Client, server: Server, opcode: int, data: bytes, code: int
) -> None:
    opened.protocol.send_binary(data) if opcode is Opcode.BINARY else opened.protocol.send_text(data)
    opened.socket.setblocking(False)
    (message,) = opened.protocol.data_to_send()
    view = memoryview(message)
    while view and not opened.ended:
        try:
            view = view[opened.socket.send(view) :]
        except BlockingIOError:
            pass
        except ConnectionError:
            break
        opened.turn()
    opened.until(lambda: opened.protocol.close_code if opened.protocol.state is State.CLOSED else opened.ended)
    assert opened.protocol.close_code == code
    assert server.taken() == CLOSED


def test_a_message_in_fragments_is_put_together(opened: Client, server: Server) -> None:
    opened.protocol.send_text(b'{"id":7,"set', fin=False)
    opened.protocol.send_continuation(b'Signals":{"requestToSend":', fin=False)
    opened.protocol.send_continuation(b"false}}", fin=True)
    opened.protocol.send_binary(b"a", fin=False)
    opened.protocol.send_continuation(b"b", fin=True)
    opened.until(lambda: len(server.events) == 3)
    assert server.taken() == [HostLines(True, False), HostBytes(b"a"), HostBytes(b"b")]


def test_connections_that_only_begin_give_way(server: Server, connect: Callable[..., Client], stack: ExitStack) -> None:
    address = parse_uri(server.link.path)
    for _ in range(3 * MAX_PEERS):
        stack.enter_context(socket.create_connection((address.host, address.port)))
        server.run()
    assert connect().hello()
    assert len(server.link._peers) <= MAX_PEERS


@pytest.mark.parametrize(
    "noise",
    [
        b"\0" * 100,
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n\xff\xff",
        b"POST / HTTP/1.1\r\n\r\n",
        b"A" * 20_000,
        b"\xff\r\n\r\n",
    ],
)
def test_what_is_no_websocket_harms_nothing(server: Server, connect: Callable[..., Client], noise: bytes) -> None:
    address = parse_uri(server.link.path)
    with socket.create_connection((address.host, address.port)) as stranger:
        stranger.sendall(noise)
        server.run()
        server.run()
    assert connect().hello()


def test_closing_tells_the_client_and_leaves_no_descriptor() -> None:
    before = sorted(os.listdir("/dev/fd"))
    link = WebSocketLink(SPEC)
    server = Server(link)
    client = Client(link.path, server.run)
    client.hello()
    link.close()
    client.run = lambda: None
    client.until(lambda: client.ended)
    assert client.protocol.close_code == 1001
    client.vanish()
    link.close()
    assert sorted(os.listdir("/dev/fd")) == before


def test_the_pump_comes_back_for_what_is_left_over(opened: Client, server: Server) -> None:
    def wakes() -> bool:
        with selectors.DefaultSelector() as waiting:
            for descriptor in server.link.other_descriptors:
                waiting.register(descriptor, selectors.EVENT_READ)
            return bool(waiting.select(0))

    assert not wakes()
    server.room = False
    opened.send(bytes(3 * PIECE))
    opened.ask(getSignals={})
    assert not wakes(), "there is no room: the pump knows by itself when to come"
    server.room = True
    polls = 1
    server.run()
    while wakes():
        assert polls < 10
        server.run()
        polls += 1
    assert server.taken() == [HostBytes(bytes(PIECE))] * 3


@pytest.mark.parametrize("pace", list(Pace))
def test_a_board_answers_through_the_pump(stack: ExitStack, pace: Pace) -> None:
    link = stack.enter_context(WebSocketLink(QUIET))
    pump = Pump(Decoy("echo"), link, pace=pace)
    client = Client(link.path, pump.step)
    stack.callback(client.vanish)
    client.hello()
    client.ask(open={"baudRate": 921600, "window": 1 << 18})
    data = bytes(range(256)) * 40
    client.send(data)
    for _ in range(2_000_000):
        client.turn()
        if len(client.heard) == len(data):
            break
    assert client.heard == data


def _json() -> st.SearchStrategy[object]:
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(115200)
    names = st.sampled_from(
        ["id", "open", "close", "setSignals", "getSignals", "got", "baudRate", "window", "requestToSend", ""]
    )
    return st.recursive(leaves, lambda below: st.lists(below, max_size=3) | st.dictionaries(names, below, max_size=3))


@given(st.lists(st.one_of(_json().map(json.dumps), st.text(max_size=40), st.binary(max_size=9000)), max_size=30), st.data())
def test_whatever_a_client_says_the_device_sees_a_port_used_properly(messages: list[str | bytes], data: st.DataObject) -> None:
    port = WebPort(SPEC)
    events: list[HostEvent] = []
    for message in messages:
        if isinstance(message, bytes):
            port.on_bytes(message)
        else:
            answer = port.on_text(message)
            assert answer is None or set(json.loads(answer)) in ({"id", "ok"}, {"id", "error"})
        if data.draw(st.booleans()):
            events += port.events(take_bytes=data.draw(st.booleans()))
    port.on_gone()
    while port.has_events:
        events += port.events(take_bytes=True)
    is_open = False
    for event in events:
        match event:
            case HostOpen():
                assert not is_open
                is_open = True
            case HostClose():
                assert is_open
                is_open = False
            case _:
                assert is_open
    assert not is_open
    assert port.waiting_bytes == 0


def test_deeply_nested_text_is_refused_like_any_other() -> None:
    answer = WebPort(SPEC).on_text("[" * MAX_TEXT)
    assert answer is not None
    assert json.loads(answer)["error"]["name"] == "SyntaxError"
