"""What a client of the WebSocket link may say, and what it means for the device: messages in, events and answers out.

A request is a JSON object with an ``id`` and one call: ``{"id": 1, "open": {"baudRate": 115200}}``. Calls are ``open``,
``close``, ``setSignals`` and ``getSignals``, with the arguments and errors of Web Serial. The answer is ``{"id": 1, "ok": {}}``
or ``{"id": 1, "error": {"name": ..., "message": ...}}``. Data goes beside that, as binary messages. ``{"took": n}`` tells the
client how many bytes the adapter has taken since the port was opened. A client that named a ``window`` when it opened the
port tells with ``{"got": n}`` how many it has used up, and never has more than the window on their way to it.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping

from simulator.board.board import HostBaud, HostBytes, HostClose, HostEvent, HostLines, HostOpen
from simulator.board.bridge import BridgeSpec

VERSION = 1
"""Of this protocol; the greeting names it."""

PIECE = 4096
"""Bytes handed to the device at once; as much as a driver takes before a write blocks."""

MAX_BAUD = 0xFFFFFFFF
"""Web Serial's ``baudRate`` is an unsigned 32-bit number."""

_INPUT_SIGNALS = {"dataCarrierDetect": False, "clearToSend": False, "ringIndicator": False, "dataSetReady": False}
"""Fidelity: guessed; development boards leave these inputs of the bridge open."""


class RefusedError(Exception):
    """A call cannot be carried out.

    Args:
        name: What the error is called in JavaScript.
        message: Why.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.message = message


class WebPort:
    """One port, for one client after the other.

    Args:
        spec: The adapter: its identity, and what its driver does with the modem lines when the port is opened and closed.
    """

    def __init__(self, spec: BridgeSpec) -> None:
        self._spec = spec
        self._pending: deque[HostEvent] = deque()
        self._is_open = False
        self._opened = 0
        self._opened_at_device = 0
        self._dtr = False
        self._rts = False
        self._window: int | None = None
        self._sent = 0
        self._used = 0
        self._taken = 0
        self.waiting_bytes = 0
        """Bytes of the client that the device has not taken yet."""

    def greeting(self) -> str:
        """Return what a new client hears first: who the adapter says it is."""
        identity = {"usbVendorId": self._spec.vid, "usbProductId": self._spec.pid} if self._spec.vid else {}
        return _dump({"hello": {"version": VERSION, "info": identity}})

    def on_text(self, text: str) -> str | None:
        """Take a text message; return the answer, if there is one."""
        number: object = None
        try:
            message = _parse(text)
            number = message.pop("id", None)
            if len(message) != 1:
                raise RefusedError("TypeError", f"a message holds one call, not {len(message)}")
            ((call, arguments),) = message.items()
            if call == "got":
                self._got(arguments)
                return None
            if not isinstance(arguments, dict):
                raise RefusedError("TypeError", f"the arguments of {call} are an object")
            return _dump({"id": number, "ok": self._call(call, arguments)})
        except RefusedError as refused:
            return _dump({"id": number, "error": {"name": refused.name, "message": refused.message}})

    def on_bytes(self, data: bytes) -> None:
        """Take a binary message; while the port is closed it leads nowhere."""
        if not self._is_open:
            return
        for start in range(0, len(data), PIECE):
            self._pending.append(HostBytes(data[start : start + PIECE]))
        self.waiting_bytes += len(data)

    def on_gone(self) -> None:
        """The client has left."""
        if self._is_open:
            self._close()

    def events(self, *, take_bytes: bool) -> list[HostEvent]:
        """Return what happens at the device now, in order: up to a first piece of data, for that may fill the adapter.

        Args:
            take_bytes: Whether the device has room for data.
        """
        result: list[HostEvent] = []
        while self._pending:
            match self._pending[0]:
                case HostBytes(data):
                    if not take_bytes:
                        break
                    take_bytes = False
                    self.waiting_bytes -= len(data)
                    if self._opened == self._opened_at_device:
                        self._taken += len(data)
                case HostOpen():
                    self._opened_at_device += 1
                case _:
                    pass
            result.append(self._pending.popleft())
        return result

    @property
    def has_events(self) -> bool:
        """Whether something is left for the device."""
        return bool(self._pending)

    def took(self) -> str:
        """Return how the client learns what the device has taken."""
        return _dump({"took": self._taken})

    @property
    def is_live(self) -> bool:
        """Whether what the device sends now is for the present client."""
        return self._is_open and self._opened == self._opened_at_device

    @property
    def allowance(self) -> int | None:
        """How many bytes may be sent to the client; ``None`` is without limit."""
        return None if self._window is None else max(0, self._window - (self._sent - self._used))

    def on_sent(self, count: int) -> None:
        """Note that `count` bytes are on their way to the client."""
        self._sent += count

    def _call(self, call: str, arguments: Mapping[str, object]) -> dict[str, object]:
        match call:
            case "open":
                self._open(arguments)
            case "close":
                self._require_open()
                self._close()
            case "setSignals":
                self._require_open()
                self._set_signals(arguments)
            case "getSignals":
                self._require_open()
                return dict(_INPUT_SIGNALS)
            case _:
                raise RefusedError("NotSupportedError", f"there is no call {call[:40]!r}")
        return {}

    def _open(self, arguments: Mapping[str, object]) -> None:
        if self._is_open:
            raise RefusedError("InvalidStateError", "the port is already open")
        baud = _number(arguments, "baudRate", MAX_BAUD)
        if baud is None:
            raise RefusedError("TypeError", "baudRate is required")
        self._window = _number(arguments, "window", 1 << 30)
        self._sent = self._used = self._taken = 0
        self._is_open = True
        self._opened += 1
        self._pending.append(HostOpen())
        self._set_lines(self._spec.lines_on_open)
        self._pending.append(HostBaud(baud))

    def _close(self) -> None:
        self._is_open = False
        self._set_lines(self._spec.lines_on_close)
        self._pending.append(HostClose())

    def _set_signals(self, signals: Mapping[str, object]) -> None:
        for name, value in signals.items():
            if name not in ("dataTerminalReady", "requestToSend", "break") or not isinstance(value, bool):
                raise RefusedError("TypeError", f"no signal {name[:40]!r} with this value")
        if not signals:
            raise RefusedError("TypeError", "no signal given")
        dtr, rts = signals.get("dataTerminalReady", self._dtr), signals.get("requestToSend", self._rts)
        if "dataTerminalReady" in signals or "requestToSend" in signals:
            self._set_lines((dtr is True, rts is True))

    def _set_lines(self, lines: tuple[bool, bool] | None) -> None:
        if lines is not None:
            self._dtr, self._rts = lines
            self._pending.append(HostLines(*lines))

    def _got(self, count: object) -> None:
        if type(count) is not int or not self._used <= count <= self._sent:
            raise RefusedError("TypeError", "got counts the bytes that were used up since the port was opened")
        self._used = count

    def _require_open(self) -> None:
        if not self._is_open:
            raise RefusedError("InvalidStateError", "the port is not open")


def _number(arguments: Mapping[str, object], name: str, most: int) -> int | None:
    value = arguments.get(name)
    if value is None:
        return None
    if type(value) is not int or not 0 < value <= most:
        raise RefusedError("TypeError", f"{name} is a whole number from 1 to {most}")
    return value


def _parse(text: str) -> dict[str, object]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise RefusedError("SyntaxError", "the message is no JSON") from None
    if not isinstance(message, dict):
        raise RefusedError("TypeError", "the message is no object")
    return message


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
