"""After a hard reset the board says that it boots from flash."""

from __future__ import annotations

import pytest

from flashcore.loader import reset
from flashcore.port import ns
from flashcore.protocol import boot_log
from hil.bench import Bench

LISTEN_S = 3.0
"""How long the banner may take."""


def test_a_hard_reset_shows_the_banner_of_a_boot_from_flash(board: Bench) -> None:
    if not board.identity().has_lines:
        pytest.skip(f"{board.board.name}: needs a restart of the chip, and {board.board.port} has no DTR and RTS")
    heard, report = b"", None
    with board.port() as port:
        port.discard_input()
        reset.run(port, reset.HARD_RESET)
        deadline = port.clock.now_ns() + ns(LISTEN_S)
        while (data := port.read(4096, deadline)) and (report is None or report.reset_code is None):
            heard += data
            report = boot_log.parse(heard)
    assert report is not None, f"no boot text within {LISTEN_S:g} s: {heard[-200:]!r}"
    assert (report.reset_name, report.is_download_mode) == ("POWERON_RESET", False)
