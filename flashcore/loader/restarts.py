"""A chip that restarts in the middle of the work says so: the ROM's banner, the stub's panic, the brownout detector.

Source: oracle fact 1 (banner); fault catalogue rows 17, 24, 59.
"""

from __future__ import annotations

import re

from flashcore.errors import ChipResetError
from flashcore.protocol import boot_log

_MARK = re.compile(rb"rst:0x[0-9a-f]{1,2} \(|" + boot_log.PANIC.pattern)
"""What is in all that a chip says when it restarts or crashes. Flash that is read may hold parts of such texts, since firmware
does; so they count only with the values that nobody stores."""

OVERLAP = 64
"""How far back a text that is not complete yet may begin, in bytes."""

BROWNOUT = "transfer.brownout"
"""Code of the error for a supply that broke down."""
CRASHED = "transfer.stub_crashed"
"""Code of the error for a stub that crashed."""

_SUPPLY = "a weak cable, hub or power supply is the usual cause; on a board with a radio, attach the antenna"


def has_mark(text: bytes | bytearray, start: int = 0) -> bool:
    """Tell whether `text` speaks of a restart or a crash, from `start` on."""
    return _MARK.search(text, start) is not None


def error(heard: bytes) -> ChipResetError | None:
    """Return what `heard` says about a restart or a crash, or ``None`` if it says nothing of the kind."""
    report = boot_log.parse(heard)
    panic = boot_log.panic(heard)
    if boot_log.is_brownout(heard):
        return ChipResetError(
            "the chip's supply broke down in the middle of the work (brownout), and it restarted",
            hint="use another cable, USB port or a hub with its own supply; on a board with a radio, attach the antenna",
            code=BROWNOUT,
        )
    if panic:
        return ChipResetError(
            f"the program in the chip crashed; it says: {panic}",
            hint="try again with --no-stub",
            code=CRASHED,
            context={"said": panic},
        )
    if report is None or report.reset_code is None:
        return None
    problem = f"; it says: {report.problems[0]}" if report.problems else ""
    return ChipResetError(
        f"the chip restarted in the middle of the work ({report.reset_name}, boot mode {report.mode}){problem}",
        hint=_SUPPLY,
        context={"reset": report.reset_name, "mode": report.mode},
    )
