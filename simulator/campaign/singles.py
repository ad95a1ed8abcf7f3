"""Single faults whose effect on today's flashers is known: a ready benchmark, and a check of the whole bench.

Twelve strike once, at the second data block of a compressed write or at its answer, two more in the upload of the stub. Then
the chip falls silent at one point of a session for good, and what counts is how long the flasher waits for it. Last, there is
no chip at all.

Source: docs/sources.md, Baselines.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_BLOCK = "nth_frame(FLASH_DEFL_DATA,2)"

ON_THE_WIRE: Mapping[str, str] = MappingProxyType(
    {
        "command-lost": f"h2d:{_BLOCK}:drop",
        "answer-lost": f"d2h:{_BLOCK}:drop",
        "answer-without-delimiter": f"d2h:{_BLOCK}:corrupt(mask=0x80,at=0)",
        "answer-length-wrong": f"d2h:{_BLOCK}:corrupt(mask=0x01,at=3)",
        "block-refused": f"h2d:{_BLOCK}:corrupt(mask=0x01)",
        "noise-before-answer": f"d2h:{_BLOCK}:insert(data=aabbcc)",
        "text-before-answer": f"d2h:{_BLOCK}:insert(data=68656c6c6f0d0a)",
        "answer-twice": f"d2h:{_BLOCK}:duplicate",
        "answer-cut": f"d2h:{_BLOCK}:truncate(keep=6,delimiter=false)",
        "answer-bad-escape": f"d2h:{_BLOCK}:corrupt(mask=0xdb,at=5)",
        "empty-frame-first": f"d2h:{_BLOCK}:insert(data=c0c0)",
        "answer-other-opcode": f"d2h:{_BLOCK}:corrupt(mask=0x02,at=2)",
        "stub-block-refused": "h2d:nth_frame(MEM_DATA,1):corrupt(mask=0x01,at=200)",
        "stub-answer-lost": "d2h:nth_frame(MEM_DATA,1):drop",
    }
)
"""By name, the fault in text form."""

SILENT: tuple[str, ...] = (
    "silent-from-command",
    "silent-from-stub-upload",
    "silent-from-stub-start",
    "silent-from-block",
    "silent-from-md5",
    "silent-from-read",
    "silent-from-erase",
    "silent-from-chip-erase",
)
"""Presets in which the chip falls silent, from the first moments of a session to the longest wait."""

NO_CHIP: tuple[str, ...] = ("silent-line", "wrong-port-echo", "wrong-port-gps", "wrong-port-modem")
"""Presets in which no chip is heard from the start."""
