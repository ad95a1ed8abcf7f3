"""A chip in real time with one of the recorded stubs on it: uploaded as the recorder did, from an installed esptool.

The upload is the recorded one, exchange by exchange (probe ``ohai``); what the recording leaves out, the stub's bytes, is
filled in, and their digest must be the recorded one. So what then answers is the recorded build, wherever it came from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from flashcore.loader.stub_image import StubImage
from flashcore.protocol.opcodes import Opcode
from flashcore.protocol.packet import data_request
from flashcore.protocol.slip import encode
from tests import oracle
from tests.conformance import stub_builds
from tests.conformance.live_arm import LiveArm
from tests.conformance.rom_probes import SYNC, SYNC_TRIES

UPLOAD_SILENCE_S = 0.01
"""Silence after an answer of the upload; nothing but the answer is waited for."""

LONG_SILENCE_S = 2.0
"""How long the recorder waited where an answer comes in parts."""

BLOCK = 0x1800
"""Bytes of the stub in one MEM_DATA."""


class LiveStub:
    """A chip behind a port on which stubs are started.

    Args:
        arm: The chip.
    """

    def __init__(self, arm: LiveArm) -> None:
        self._arm = arm

    def start_stub(self, file: str, *, flash: bytes | None = None) -> bytes:
        """Start the chip anew, upload the stub that `file` was recorded from, and return its greeting.

        Raises:
            AssertionError: The chip does not take the upload as the recorded one did.
            pytest.skip.Exception: That stub cannot be had here.
        """
        image = stub_builds.image(file)
        self._arm.reset(flash=flash)
        said = answer = b""
        for step, sent in upload(file, image):
            said = oracle.expand(step["recv"])
            for _ in range(SYNC_TRIES if sent == SYNC else 1):
                answer = self._arm.exchange(sent, expected=len(said), silence_s=UPLOAD_SILENCE_S)
                if answer:
                    break
            assert answer.hex() == said.hex(), step["note"]
        rom = said.index(b"\xc0", 1) + 1
        return answer[rom:]

    def play(self, sends: list[bytes], *, gap_ms: int, expected: int, slow: bool) -> bytes:
        """Play one exchange: writes, then listening until there is silence."""
        return self._arm.exchange(sends, gap_ms=gap_ms, expected=expected, silence_s=LONG_SILENCE_S if slow else None)

    def flash(self) -> bytes:
        """Return the whole flash of a chip that lends it."""
        return self._arm.flash()


def upload(file: str, image: StubImage) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield the exchanges of the recorded upload, and what is sent in each.

    Args:
        file: For example ``stub_e3``.
        image: The stub.

    Raises:
        AssertionError: It is not the recorded one.
    """
    blocks = iter([packet for segment in image.segments for packet in _packets(segment.data)])
    for step in next(probe for probe in oracle.probes(file) if probe["name"] == "ohai")["exchanges"][:-1]:
        sent = oracle.expand(step["send"]) if "send" in step else next(blocks)
        if "send_sha256" in step:
            assert hashlib.sha256(sent).hexdigest() == step["send_sha256"], f"{image.source}: not the recorded stub"
        yield step, sent


def _packets(data: bytes) -> Iterator[bytes]:
    for number, start in enumerate(range(0, len(data), BLOCK)):
        yield encode(data_request(Opcode.MEM_DATA, data[start : start + BLOCK], number).pack())
