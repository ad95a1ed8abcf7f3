"""Matching answers to questions on a line that also carries other things.

A loader's answer is a frame whose opcode is that of the request. Around it may come boot text, line noise, answers to earlier
requests that were late, and the seven further answers of a SYNC. The ESP32's ROM refuses an unknown command with the opcode of
the *last good* one (oracle fact 21), so a refusal need not name what it refuses. `Exchange` sorts what the decoder finds into
these kinds and keeps what is not an answer, because it is what a diagnosis is made of. It has no clock: "not yet" is a value.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, unique

from flashcore.protocol.opcodes import Opcode
from flashcore.protocol.packet import Request, Response, parse_response
from flashcore.protocol.slip import Decoder, Frame, Junk, encode

ROM_STATUS_LENGTH = 4
"""Status bytes behind each answer of the ESP32's ROM (oracle fact 18)."""
STUB_STATUS_LENGTH = 2
"""Status bytes behind each answer of a stub (oracle fact 51)."""

HEARD_LIMIT = 4096
"""How many bytes of what was not an answer are kept for a diagnosis."""


@unique
class Dialect(Enum):
    """Which loader speaks, as far as the form of its answers goes."""

    ROM = "rom"
    STUB = "stub"

    @property
    def status_length(self) -> int:
        """Number of status bytes at the end of each answer."""
        return ROM_STATUS_LENGTH if self is Dialect.ROM else STUB_STATUS_LENGTH


@dataclass(frozen=True, slots=True)
class Reply:
    """The loader did what was asked.

    Args:
        value: The answer's value word; only READ_REG and SYNC set it.
        data: The body without its status bytes.
    """

    value: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """The loader refused.

    Args:
        status: Why; see `RomStatus` and `StubStatus`.
        raw: All status bytes as received.
    """

    status: int
    raw: bytes


Answer = Reply | Refusal


@dataclass(frozen=True, slots=True)
class SyncAnswer:
    """A valid answer to SYNC.

    Args:
        dialect: Who answers, told by the number of status bytes (oracle facts 18, 51).
        value: The value word; 0 from a stub.
    """

    dialect: Dialect
    value: int


def sync_answer(packet: bytes) -> SyncAnswer | None:
    """Return what `packet` says, or ``None`` if it is no valid answer to SYNC."""
    response = parse_response(packet)
    if response is None or response.opcode != Opcode.SYNC or not response.intact or not response.body:
        return None
    dialect = next((one for one in Dialect if one.status_length == len(response.body)), None)
    return SyncAnswer(dialect, response.value) if dialect is not None and not response.body[0] else None


class Exchange:
    """Frames going out, answers coming in, for one session.

    Args:
        dialect: Which loader is believed to be there; may be changed at any time.
    """

    def __init__(self, dialect: Dialect = Dialect.ROM) -> None:
        self.dialect = dialect
        self._decoder = Decoder()
        self._frames: deque[bytes] = deque()
        self._heard = bytearray()
        self.stale_count = 0
        """Valid answers seen that answered something else."""
        self.saw_sync = False
        """Whether an answer to SYNC came while another was waited for; for the caller to clear."""
        self.junk_count = 0
        """Runs of bytes seen that were no frame, and frames that were no packet."""

    @property
    def heard(self) -> bytes:
        """The last bytes that were no answer, for a diagnosis; at most `HEARD_LIMIT`."""
        return bytes(self._heard) + self._decoder.pending[-HEARD_LIMIT:]

    def outgoing(self, request: Request) -> bytes:
        """Return the wire bytes of `request`."""
        return encode(request.pack())

    def feed(self, data: bytes) -> None:
        """Take bytes from the line."""
        for event in self._decoder.feed(data):
            match event:
                case Frame(packet):
                    self._frames.append(packet)
                case Junk(raw):
                    self.note_junk(raw)

    def note_junk(self, raw: bytes) -> None:
        """Keep `raw` among what was heard but was no answer."""
        self.junk_count += 1
        self._heard += raw
        del self._heard[:-HEARD_LIMIT]

    def next_frame(self) -> bytes | None:
        """Return the next whole frame's packet as it is, or ``None`` if there is none yet."""
        return self._frames.popleft() if self._frames else None

    def next_answer(self, opcode: Opcode | int, *, also: Opcode | int | None = None) -> Answer | None:
        """Return the answer to `opcode`, passing over whatever else came before it.

        Args:
            opcode: The command that was sent.
            also: A second opcode under which a refusal may come: that of the last good command, for commands that the ROM
                may not know.

        Returns:
            The answer, or ``None`` if it has not come yet.
        """
        while self._frames:
            packet = self._frames.popleft()
            response = parse_response(packet)
            if response is None:
                self.note_junk(packet)
                continue
            answer = self._judge(response, opcode, also)
            if answer is not None:
                return answer
            self.stale_count += 1
        return None

    def forget(self) -> None:
        """Drop everything received: buffered frames and a frame that is not complete."""
        self._frames.clear()
        self._decoder.reset()

    def _judge(self, response: Response, opcode: int, also: int | None) -> Answer | None:
        length = self.dialect.status_length
        if len(response.body) < length or not response.intact:
            self.note_junk(response.pack())
            return None
        status = response.body[-length:]
        if response.opcode != opcode:
            self.saw_sync = self.saw_sync or (response.opcode == Opcode.SYNC and not status[0])
            if response.opcode == also and self.dialect is Dialect.ROM and status[0] == 1:
                return Refusal(status[1], status)
            return None
        if status[0] == 0:
            return Reply(response.value, response.body[:-length])
        return Refusal(status[1] if self.dialect is Dialect.ROM else status[0], status)
