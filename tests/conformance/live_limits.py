"""Which recorded probes make sense on a live chip, and why the others do not: data first, then three questions to it.

Two kinds of live chip: one with the *conditions of the recording* (an emulator with the real ROM; the preset ``esp32-oracle``),
and *silicon* (boards, and every other preset), for which the limits of the recording count too (oracle, Limits). Flash is
touched only where it is lent for scratch, and never on silicon: addresses are fixed, and what lies there on somebody's
board is not ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tests import oracle


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Probes that are left out.

    Args:
        reason: Why.
        probes: Names, with ``*`` for any text.
        silicon_only: Whether a chip with the conditions of the recording plays them.
    """

    reason: str
    probes: tuple[str, ...]
    silicon_only: bool = False


FAULTS = "an address that nothing answers at: which ones fault is the emulator's choice (oracle, Limits)"

LIMITS = (
    Limit(
        reason="its recording shows a deaf moment, which cannot be chosen on a live chip", probes=("sync_after_c0_run_8_pause",)
    ),
    Limit(
        reason="the chip changes its rate, and the recorder's line had none to follow with",
        probes=("baud_*", "write_reg_clkdiv"),
    ),
    Limit(reason="the reset in it leads to flash boot, as nobody holds IO0", probes=("mem_end_run_reset",)),
    Limit(reason="answers hold what lies in the flash", probes=("unknown_then_ok",)),
    Limit(
        reason=FAULTS,
        probes=(
            "slip_half_then_frame_after_sync",
            "slip_short_?_after_sync",
            "slip_header_only_after_sync",
            "read_body_len_*",
            "read_unaligned_*",
            "read_[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]",
            "write_reg_unmapped",
            "write_reg_unaligned",
            "write_reg_rom",
            "mem_begin_addr_*",
        ),
        silicon_only=True,
    ),
    Limit(
        reason="answers hold this chip's own registers and eFuses",
        probes=("read_uart", "read_strap", "read_efuse", "read_efuse_ctl", "read_misc", "read_spi1", "read_rom_vars"),
        silicon_only=True,
    ),
    Limit(
        reason="answers hold this chip's own flash id and pins (oracle, Limits: the pins are not routed)",
        probes=("flash_id_via_spi_regs", "set_params_effect", "spi_attach_*"),
        silicon_only=True,
    ),
    Limit(
        reason="RAM starts as zeros in the emulator only (oracle, Limits)",
        probes=("mem_data_without_begin", "mem_end_without_begin", "mem_end_len_*"),
        silicon_only=True,
    ),
)
"""Probes left out by name. Those that need other straps, other eFuses or the flash are found by what they contain."""

BUNCHES = (
    "what becomes of frames close behind each other depends on how the line bunches bytes: the recorder's brought up to 128 "
    "at once (oracle, Limits)"
)

STUB_LIMITS = (
    Limit(
        reason=BUNCHES,
        probes=(
            *(
                f"stub_{build}-{name}"
                for build in ("e3", "e4_1", "e5_1")
                for name in (
                    "slip_many_empty_then_frame",
                    "slip_even_empty_then_frame",
                    "slip_garbage_between",
                    "slip_long_4100",
                    "slip_long_8000",
                    "slip_long_10010",
                    "desync_one_c0_sync",
                    "desync_long_frame",
                    "flash_data_then_md5_pipelined",
                )
            ),
            "stub_e5_2-slip_garbage_between",
            "*-*_pipelined*",
            "*-pipe_*",
        ),
    ),
    Limit(
        reason="the chip changes its rate, and the recorder's line had none to follow with",
        probes=("*-baud_921600_115200", "*-baud_460800_0"),
    ),
    Limit(
        reason="the reset in it leads to flash boot, as nobody holds IO0",
        probes=("*-flash_end_0", "*-flash_begin0_end_0", "*-defl_end_0", "*-run_user_code", "*-mem_end_run", "*-op_d3_*"),
    ),
    Limit(reason="the stub sends for ever", probes=("stub_e[345]_*-read_flash_block_0", "stub_e3-read_flash_block_0")),
    Limit(
        reason="its recording cuts an answer where the stub paused for 300 ms, and how long an MD5 takes is the emulator's",
        probes=("stub_e3-md5_ranges", "stub_e4_1-md5_ranges", "stub_e5_1-md5_ranges"),
    ),
    Limit(reason="the recording lacks an answer that all other builds give", probes=("stub_e3-op_0b_zeros_0",)),
    Limit(reason="looks at the flash in the middle of a command's work", probes=("*-flash_erase_extent_*",)),
    Limit(
        reason=FAULTS,
        probes=("*-read_zero", "*-read_unaligned", "*-op_0[9a]_zeros_*", "*-slip_half_then_frame", "*-slip_short_*"),
        silicon_only=True,
    ),
    Limit(reason="answers hold this chip's own registers and eFuses", probes=("*-reg", "*-pipe_*"), silicon_only=True),
    Limit(
        reason="RAM starts as zeros in the emulator only (oracle, Limits)",
        probes=("*-mem_data_without_begin", "*-mem_begin_over_stub", "*-op_0[56]_zeros_*"),
        silicon_only=True,
    ),
)
"""Probes of the stubs left out, by file and name."""

FLASH_OPS = frozenset({0x02, 0x03, 0x04, 0x0E, 0x10, 0x11, 0x12, 0x13})
"""FLASH_*, FLASH_DEFL_*, READ_FLASH and SPI_FLASH_MD5."""

STUB_FLASH_OPS = FLASH_OPS | {0xD0, 0xD1, 0xD2, 0xD4}
"""The same, and what only stubs know: ERASE_FLASH, ERASE_REGION, their READ_FLASH and FLASH_ENCRYPT_DATA."""

OPCODE_LIMITS: dict[int, str] = {0x0F: "the chip changes its rate, and the recorder's line had none to follow with"}
"""Rows of ``rom_opcodes`` left out on any live chip, by opcode."""

SILICON_OPCODE_LIMITS: dict[int, str] = {
    0x05: "RAM starts as zeros in the emulator only (oracle, Limits)",
    0x06: FAULTS,
    0x07: FAULTS,
    0x09: FAULTS,
    0x0A: FAULTS,
    0x0B: "answers hold this chip's own flash id and pins (oracle, Limits: the pins are not routed)",
    0x0D: "answers hold this chip's own flash id and pins (oracle, Limits: the pins are not routed)",
}
"""Rows of ``rom_opcodes`` left out on silicon besides, by opcode."""

SMOKE = frozenset(
    {
        "sync_one_strap03",
        "sync_seven_back_to_back_strap03",
        "first_command_not_sync_readreg",
        "resync_after_nmea",
        "slip_unterminated_then_frame",
        "slip_bad_escape_value",
        "slip_shared_delimiter",
        "slip_short_3",
        "long_readreg_400",
        "direction_02_readreg",
        "read_magic",
        "write_reg",
        "mem_ok",
        "mem_wrong_seq",
        "mem_bad_checksum_resend",
        "pipe_20_readreg",
        "secinfo_after_sync",
        "late_read",
        "0x14-after_sync-0",
        "0xd0-after_readreg-64",
        "0xff-after_readreg-0",
        "stub_e3-ohai",
        "stub_e3-slip_empty",
        "stub_e3-sync",
        "stub_e5_1-sync",
        "stub_e5_2-ohai",
        "stub_e5_2-desync_one_c0",
        "stub_e5_2-spi_attach_8",
    }
)
"""A few probes of each kind that all live chips play, for a look that takes half a minute: names of probes, of opcode rows, and
of stub probes with their file."""


def why_not_probe(probe: dict[str, Any], *, silicon: bool, scratch: bool = False) -> str:
    """Return why `probe` is not played to a live chip; empty if it is.

    Args:
        probe: A probe of ``rom_*.json``.
        silicon: Whether the chip is silicon, or a model of it.
        scratch: Whether its flash is lent for scratch.
    """
    if probe.get("strap", "0x03") != "0x03":
        return "needs other straps"
    if "efuse" in probe:
        return "needs a chip with other eFuses"
    return _touches(probe, FLASH_OPS, silicon=silicon, scratch=scratch) or _by_name(probe["name"], LIMITS, silicon=silicon)


def why_not_stub(file: str, probe: dict[str, Any], *, silicon: bool, scratch: bool = False) -> str:
    """Return why `probe` is not played to a stub on a live chip; empty if it is.

    Args:
        file: The vector file, which stands for the stub.
        probe: A probe of it.
        silicon: Whether the chip is silicon, or a model of it.
        scratch: Whether its flash is lent for scratch.
    """
    reason = _touches(probe, STUB_FLASH_OPS, silicon=silicon, scratch=scratch)
    return reason or _by_name(f"{file}-{probe['name']}", STUB_LIMITS, silicon=silicon)


def why_not_opcode(row: dict[str, Any], *, silicon: bool, scratch: bool = False) -> str:
    """Return why a row of ``rom_opcodes`` is not played to a live chip; empty if it is."""
    opcode = int(row["op"], 16)
    if opcode in FLASH_OPS:
        return _flash_is_off_limits(silicon=silicon, scratch=scratch)
    return OPCODE_LIMITS.get(opcode, "") or (SILICON_OPCODE_LIMITS.get(opcode, "") if silicon else "")


def opcodes(sent: Iterable[bytes]) -> set[int]:
    """Return the opcodes of all that looks like a frame in what is sent."""
    return {frame[1] for data in sent for frame in data.split(b"\xc0") if len(frame) >= 8 and frame[0] == 0}


def _by_name(name: str, limits: Iterable[Limit], *, silicon: bool) -> str:
    for limit in limits:
        if (silicon or not limit.silicon_only) and any(fnmatchcase(name, pattern) for pattern in limit.probes):
            return limit.reason
    return ""


def _touches(probe: dict[str, Any], flash_ops: frozenset[int], *, silicon: bool, scratch: bool) -> str:
    sent: list[bytes] = []
    for step in probe["exchanges"]:
        parts = step.get("send_chunks") or [step.get("send", "")]
        sent.append(b"".join(oracle.expand(part) for part in parts))
    if opcodes(sent) & flash_ops or "flash_before" in probe or "result" in probe:
        return _flash_is_off_limits(silicon=silicon, scratch=scratch)
    return ""


def _flash_is_off_limits(*, silicon: bool, scratch: bool) -> str:
    if scratch and silicon:
        return "touches the flash, which takes time on silicon and in the recording takes none (oracle, Limits)"
    return "" if scratch else "touches the flash, or needs content of its own in it: see --espsim-arm-scratch"
