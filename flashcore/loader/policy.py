"""How long to wait and how often to try: every number of the loader that is a judgement, as data with its source.

Waits scale with the work that is asked for, never with hope: a floor for the link, a part per megabyte of flash touched, and
the time the bytes need on the wire, which `Session` adds itself. Per megabyte means per 1 000 000 bytes. The sources are
docs/sources.md, Time-outs (what today's flashers use) and the times of flash parts' data sheets.
"""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1_000_000
ROM_BAUDRATE = 115200
"""Rate at which a chip is met after a reset; the ROM adapts to others, its banner does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RamRung:
    """One way of sending a segment to RAM.

    Args:
        block_size: Payload of a block, in bytes; the ROM takes at most 0x1800 (oracle fact 24).
        paced: Whether writes to the port are cut into short bursts with pauses.
        full_check: Whether every word is read back, not only a sample.
    """

    block_size: int
    paced: bool = False
    full_check: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Waits in seconds, and how many tries."""

    command_s: float = 3.0
    """Answer to a command that does nothing slow. Source: docs/sources.md, Time-outs."""
    write_s: float = 10.0
    """For the driver to take a frame, beyond its time on the wire. Source: docs/sources.md, Time-outs."""
    quiet_s: float = 0.05
    """Silence after which nothing more is expected. Source: fault catalogue rows 33, 34."""
    quiet_limit_s: float = 1.0
    """How long to wait for silence on a line that never falls silent."""
    trickle_s: float = 60.0
    """How long to wait for silence while answers to SYNC keep coming. Source: catalogue row 40 (one byte per read, so that each
    of the eight answers takes most of a second)."""
    sync_s: tuple[float, ...] = (0.1, 0.5, 2.0)
    """Answer to SYNC at the first, second and later tries: USB, then slow hubs and drivers, then network links."""
    sync_rounds: tuple[tuple[float, ...], ...] = ((0.1,) * 5, (0.5, 0.5, 2.0))
    """Answers to the SYNCs behind each reset, in the first round of reset sequences and in the following ones; the first SYNC
    is spent on the ROM's autobaud (oracle, Limits). Source: catalogue row 40 (0.1, 0.5, 2 s)."""
    sync_tries_running: int = 2
    """SYNCs per reset to a chip whose banner says that it runs something else; not one, since the banner may be older than the
    reset on a slow link."""
    sync_waiting_s: tuple[float, ...] = (0.5, 0.5, 2.0, 2.0)
    """Answers to further SYNCs to a chip that waits for a download, before it is reset again. Source: catalogue row 40 (answers
    after 3 s; 0.1, 0.5, 2 s)."""
    connect_limit_s: float = 15.0
    """After this long without a valid answer connecting ends with a diagnosis, so that each reset sequence had its turn.
    Source: docs/sources.md, Time-outs (others: 7 to 10 s, with fewer sequences)."""
    manual_limit_s: float = 60.0
    """The same where somebody has to press buttons first."""
    slow_lines_s: float = 0.08
    """A change of the lines that takes so long, or after which the chip's first word comes so late, is slow: a network or a
    virtual machine is in between. Source: catalogue row 39 (20 to 200 ms); a chip speaks after 10 ms on its own."""
    baud_ladder: tuple[int, ...] = (115200, 230400, 460800, 921600)
    """Rates to fall back to, in turn, where a higher one does not work. Source: catalogue row 6."""
    baud_settle_s: float = 0.05
    """From the change of rate until anything is sent. Source: docs/sources.md, Time-outs (esptool: 0.05)."""
    baud_probes: int = 20
    """Commands that must be answered correctly at a new rate. Source: catalogue row 6."""
    baud_answer_s: float = 0.3
    """Answer to each of them: a USB bridge and a hub take tens of milliseconds."""
    resync_s: tuple[float, ...] = (0.1, 0.5, 0.5, 0.5, 2.0)
    """Answer to each SYNC after something went wrong in a session."""
    ask_tries: int = 3
    """Times that a command is sent which does no harm when it is carried out twice."""
    retry_shift_s: float = 0.0037
    """Pause before a command is sent again, times the number of tries, so that talk on the line at regular times does not
    hit each answer at the same place. Source: catalogue row 60."""
    erase_chip_s: float = 120.0
    """Erase of the whole chip. Source: docs/sources.md, Time-outs."""
    erase_s_per_mb: float = 40.0
    """Erase of a region. Source: docs/sources.md, Time-outs (esptool 5.6)."""
    slowest_erase_s_per_mb: float = 110.0
    """Erase of a region by the slowest chips, waited for as long as the loader is busy. Source: catalogue row 20 (400 ms per
    sector, that is 98 s per megabyte)."""
    slowest_chip_erase_s: float = 250.0
    """Erase of the whole chip by the slowest. Source: catalogue row 20 (200 s)."""
    busy_first_s: float = 4.0
    """From the first SYNC to a loader that may be busy to the second; then twice as long each time, so that all of them fit
    into the ring of 256 bytes in which the ROM keeps what comes meanwhile (oracle facts 30 to 32)."""
    program_s_per_mb: float = 40.0
    """Erase and write inside a data block. Source: docs/sources.md, Time-outs."""
    erase_64k_s: float = 2.0
    """A block erase that a stub may hide in any data block. Source: W25Q32JV data sheet, block erase time maximum."""
    md5_s_per_mb: float = 8.0
    """MD5 over flash. Source: docs/sources.md, Time-outs."""
    greeting_s: float = 1.0
    """For a stub to say OHAI after MEM_END, before it is asked with SYNC. Source: catalogue row 25 (delays up to 4 s)."""
    ram_ladder: tuple[RamRung, ...] = (
        RamRung(block_size=0x1800),
        RamRung(block_size=0x1800),
        RamRung(block_size=0x400, paced=True),
        RamRung(block_size=0x100, paced=True, full_check=True),
    )
    """How a segment is sent to RAM, from the fastest way to the most careful; the second rung tells a single hit from a port
    that damages all long frames. Source: catalogue row 1."""
    burst_bytes: int = 64
    """Longest write on a paced link: one full-speed USB packet. Source: catalogue row 1."""
    burst_pause_s: float = 0.006
    """Pause after each such write, beyond its time on the wire, so that the driver's burst ends. Source: catalogue row 1."""
    damage_limit: int = 3
    """Damaged long frames after which the link is paced for the rest of the session."""
    block_tries: int = 4
    """Times that one block is sent while the loader says that it arrived damaged."""
    stalls: int = 4
    """Recoveries in a row without one more good sector after which a transfer fails."""
    stalls_per_step: int = 2
    """The same, more, for each step by which the link was relieved."""
    recoveries: int = 64
    """Recoveries per region after which a transfer fails, even if each gets a little further."""
    losses: int = 2
    """Times that the chip may be lost without an explanation before the work is done more carefully: without the stub, in small
    parts, at a lower rate. Source: catalogue rows 17, 24."""
    gentle_part: int = 0x1000
    """Bytes that are erased and written in one go on a supply that broke down before. Source: catalogue row 17."""
    gentle_pause_s: float = 1.0
    """Pause after each such part; twice as long after each further breakdown."""
    reconnects: int = 6
    """Times per session that the chip is reset and connected again."""
    port_returns: int = 6
    """Times per session that a lost port is brought back; a chip that is a USB device itself is lost at each of its resets."""
    rom_block: int = 0x400
    """Block of FLASH_DATA through the ROM. Source: docs/sources.md, Time-outs."""
    stub_block: int = 0x4000
    """Block of FLASH_DATA through a stub, its largest (oracle facts 69, 73)."""
    stub_block_paced: int = 0x1000
    """The same on a paced link, where less should be lost with a block."""
    inflate_limit: int = 0x40000
    """Most bytes of flash that one compressed block may turn into, so that its answer takes no longer than the waits allow.
    Source: catalogue row 21 (blocks that expand to megabytes)."""
    read_chunk: int = 0x10000
    """Bytes per READ_FLASH, so that a damaged answer costs no more."""
    read_block: int = 0x1000
    """Bytes per frame of READ_FLASH. Source: docs/sources.md, Time-outs."""
    read_in_flight: int = 16
    """Frames that the stub may send ahead of our acknowledgements."""

    boot_check_s: float = 2.0
    """How long to listen after the restart that ends a session with writes. Source: catalogue rows 10, 15, 61 (2 s)."""
    boot_quiet_s: float = 0.6
    """Silence after which a chip has said what it says when it boots: longer than a watchdog's turn of a failed boot."""
    boot_drain_s: float = 0.3
    """The same after a session without writes, so that the port is not closed in the middle of the boot log. Source: catalogue
    row 52 (0.3 to 2 s)."""

    def scaled(self, per_mb: float, size: int) -> float:
        """Return the wait for work over `size` bytes that takes `per_mb` seconds per megabyte."""
        return self.command_s + per_mb * size / MEGABYTE

    def erase_wait(self, size: int) -> float:
        """Return the wait for an erase of `size` bytes."""
        return self.scaled(self.erase_s_per_mb, size)

    def longest_erase(self, size: int) -> float:
        """Return the longest wait for an erase of `size` bytes by a loader that stays busy."""
        return min(self.scaled(self.slowest_erase_s_per_mb, size), max(self.slowest_chip_erase_s, self.erase_wait(size)))

    def program_wait(self, size: int) -> float:
        """Return the wait for a data block that ends in `size` bytes of flash."""
        return self.scaled(self.program_s_per_mb, size)

    def longest_program(self, size: int) -> float:
        """Return the longest wait for a data block that ends in `size` bytes of flash, by a loader that stays busy."""
        return self.scaled(self.slowest_erase_s_per_mb + self.program_s_per_mb, size)

    def md5_wait(self, size: int) -> float:
        """Return the wait for the MD5 of `size` bytes."""
        return self.scaled(self.md5_s_per_mb, size)


DEFAULT_POLICY = Policy()
