"""From reset to the application: second stage, failed boots, watchdog, and what applications say."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import xor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashcore.errors import ScenarioError
from flashcore.protocol.boot_log import parse as parse_boot_log
from simulator.chip.boot import RETRY_NS, WATCHDOG_NS, first_program
from simulator.chip.config import ORACLE, ChipConfig
from simulator.chip.factory import APP_OFFSET, factory_flash
from simulator.chip.firmware import PROFILES, nmea, profile
from simulator.chip.script import Script, Step
from simulator.chip.soc import ResetCause, Soc
from simulator.chip.straps import BootTarget, StrapPins, boot_mode
from simulator.kernel import MS, Kernel, S
from simulator.rng import Rng
from simulator.wire import Chunk, byte_time
from tests.images import SINGLE_APP, TWO_OTA, PartitionRow, make_app, make_bootloader, make_partition_table

GREEN, RED, PLAIN = b"\x1b[0;32m", b"\x1b[0;31m", b"\x1b[0m"


@dataclass
class Bench:
    """A chip on a bench, with everything that it says."""

    config: ChipConfig = field(default_factory=ChipConfig)
    strap: int = 0x13
    kernel: Kernel = field(default_factory=Kernel)
    chunks: list[Chunk] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.soc = Soc(
            self.config,
            self.kernel,
            Rng(0),
            start=first_program,
            transmit=self.chunks.append,
            straps=lambda: self.strap,
            note=lambda kind, text: self.notes.append((kind, text)),
        )

    def load(self, *pieces: tuple[int, bytes]) -> Bench:
        for offset, data in pieces:
            self.soc.flash.load(offset, data)
        return self

    def run(self, time_ns: int = 400 * MS) -> bytes:
        """Start the chip and return what it says meanwhile."""
        self.soc.set_enabled(True)
        self.kernel.advance(time_ns)
        return self.said()

    def said(self) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks)


def lines(log: bytes) -> list[str]:
    """Return the lines of a log without colours and time stamps."""
    for code in (GREEN, RED, PLAIN):
        log = log.replace(code, b"")
    texts = log.decode().split("\r\n")
    return [f"{text[0]} {text.partition(') ')[2]}" if text[1:3] == " (" else text for text in texts]


def errors(log: bytes) -> list[str]:
    return [line[2:] for line in lines(log) if line.startswith("E ")]


LOADER = (0x1000, make_bootloader())
TABLE = (0x8000, make_partition_table())
APP = make_app()


def test_a_good_flash_boots_the_app_and_shows_its_name_and_version() -> None:
    bench = Bench().load(LOADER, TABLE, (APP_OFFSET, make_app(project="lora-gw", version="7.8")))
    said = lines(bench.run())
    assert "I boot:  2 factory          factory app      00 00 00010000 00100000" in said
    assert "I boot: Loaded app from partition at offset 0x10000" in said
    assert "I app_init: Project name:     lora-gw" in said
    assert "I app_init: App version:      7.8" in said
    assert said[-2] == "I main_task: Calling app_main()"
    assert errors(bench.said()) == []
    assert bench.soc.boots == 1


def test_the_log_is_exact_in_form() -> None:
    said = Bench().load(LOADER, TABLE, (APP_OFFSET, APP)).run()
    assert GREEN + b"I (29) boot: ESP-IDF v5.1.4 2nd stage bootloader" + PLAIN + b"\r\n" in said
    assert b"esp_image: segment 0: paddr=00010020 vaddr=3f400020 size=02400h (  9216) map" in said


def test_time_stamps_are_the_time_on_the_wire() -> None:
    bench = Bench().load(LOADER, TABLE, (APP_OFFSET, APP))
    bench.run()
    stamped = [chunk for chunk in bench.chunks if b" (" in chunk.data[:12]]
    assert len(stamped) > 20
    for chunk in stamped:
        assert int(chunk.data.partition(b"(")[2].partition(b")")[0]) == chunk.start_ns // MS


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (b"", ["boot: No bootable app partitions in the partition table"]),
        (
            bytes(0xC00),
            [
                "flash_parts: partition 0 invalid magic number 0x0",
                "boot: Failed to verify partition table",
                "boot: load partition table error!",
            ],
        ),
        (
            TABLE[1].replace(b"factory", b"fuctory"),
            [
                "flash_parts: Incorrect MD5 checksum",
                "boot: Failed to verify partition table",
                "boot: load partition table error!",
            ],
        ),
        (
            make_partition_table([replace(SINGLE_APP[2], size=0x800000)]),
            [
                "flash_parts: partition 0 invalid - offset 0x10000 size 0x800000 exceeds flash chip size 0x400000",
                "boot: Failed to verify partition table",
                "boot: load partition table error!",
            ],
        ),
    ],
    ids=["absent", "zeros", "damaged", "too big"],
)
def test_a_bad_partition_table_is_refused_in_the_loaders_words(table: bytes, expected: list[str]) -> None:
    bench = Bench().load(LOADER, (0x8000, table), (APP_OFFSET, APP))
    bench.run(150 * MS)
    assert errors(bench.said())[: len(expected)] == expected


def with_byte(image: bytes, offset: int, value: int) -> bytes:
    return image[:offset] + bytes([value]) + image[offset + 1 :]


def flipped(image: bytes, *offsets: int) -> bytes:
    for offset in offsets:
        image = with_byte(image, offset, image[offset] ^ 1)
    return image


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        (b"", "esp_image: image at 0x10000 has invalid magic byte (nothing flashed here?)"),
        (with_byte(APP, 12, 9), "boot_comm: mismatch chip ID, expected 0, found 9"),
        (make_app(min_rev_full=301), "boot_comm: Image requires chip rev >= v3.1, but chip is v3.0"),
        (make_app(max_rev_full=199), "boot_comm: Image requires chip rev <= v1.99, but chip is v3.0"),
        (with_byte(APP, 1, 17), "esp_image: image at 0x10000 segment count 17 exceeds max 16"),
        (APP[:0x8000], "esp_image: invalid segment length 0xffffffff"),
        (flipped(APP, 0x200), "esp_image: Checksum failed. Calculated 0x"),
        (
            with_byte(with_byte(APP, 0x200, APP[0x200] ^ 1), 0x300, APP[0x300] ^ 1),
            "esp_image: Image hash failed - image is corrupt",
        ),
        (make_app(irom_size=0x110000), "esp_image: Image length "),
    ],
    ids=["absent", "chip", "old", "new", "segments", "cut", "one bit", "two bits", "too long"],
)
def test_a_bad_app_is_refused_in_the_loaders_words(app: bytes, expected: str) -> None:
    bench = Bench().load(LOADER, TABLE, (APP_OFFSET, app))
    bench.run(1200 * MS)
    first, *rest = errors(bench.said())
    assert first.startswith(expected)
    assert rest[:2] == [
        "boot: Factory app partition is not bootable",
        "boot: No bootable app partitions in the partition table",
    ]
    assert bench.soc.boots > 1
    assert b"rst:0x3 (SW_RESET),boot:0x13" in bench.said()


def ota_data(sequence: int) -> bytes:
    packed = struct.pack("<I", sequence)
    return struct.pack("<I20sII", sequence, b"", 0xFFFFFFFF, zlib.crc32(packed, 0xFFFFFFFF))


@pytest.mark.parametrize(
    ("select", "offset"),
    [
        ((b"", b""), 0x10000),
        ((ota_data(1), b""), 0x10000),
        ((ota_data(1), ota_data(2)), 0x150000),
        ((ota_data(3), ota_data(2)), 0x10000),
        ((ota_data(3), ota_data(4)[:-1] + b"\0"), 0x10000),
    ],
    ids=["blank", "first", "second", "third", "damaged"],
)
def test_ota_data_choose_the_app(select: tuple[bytes, bytes], offset: int) -> None:
    bench = Bench().load(LOADER, (0x8000, make_partition_table(TWO_OTA)), (0x10000, APP), (0x150000, APP))
    bench.load((0xE000, select[0]), (0xF000, select[1])).run()
    assert f"I boot: Loaded app from partition at offset 0x{offset:x}" in lines(bench.said())


def test_a_bad_slot_falls_back_to_the_other() -> None:
    bench = Bench().load(LOADER, (0x8000, make_partition_table(TWO_OTA)), (0x150000, APP))
    said = lines(bench.run())
    assert "I boot: No factory image, trying OTA 0" in said
    assert "E boot: OTA app partition slot 0 is not bootable" in said
    assert "I boot: Loaded app from partition at offset 0x150000" in said


def test_an_app_without_a_boot_loader_does_not_boot() -> None:
    bench = Bench().load(TABLE, (APP_OFFSET, APP))
    bench.run(WATCHDOG_NS // 2)
    report = parse_boot_log(bench.said())
    assert report is not None
    assert report.problems == ("invalid header: 0xffffffff",)
    assert b"boot: " not in bench.said()


def test_an_app_in_place_of_the_boot_loader_hangs_until_the_watchdog() -> None:
    bench = Bench().load((0x1000, APP))
    bench.run(WATCHDOG_NS + 50 * MS)
    assert bench.soc.boots == 2
    assert bench.said().count(b"load:0x3f400020,len:9216\r\n") == 2
    assert b"entry" not in bench.said()


def test_the_watchdog_restarts_a_failed_boot_for_ever() -> None:
    bench = Bench()
    bench.run(10 * WATCHDOG_NS + 20 * MS)
    assert bench.soc.boots == 11
    assert bench.soc.cause is ResetCause.RTCWDT_RTC_RESET
    first, second, *_ = bench.said().split(b"ets Jul 29 2019 12:21:46\r\n\r\n")[1:]
    lines_between_resets = b"invalid header: 0xffffffff\r\n" * ((WATCHDOG_NS - 1) // RETRY_NS)
    assert first == b"rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n" + lines_between_resets
    assert second == b"rst:0x10 (RTCWDT_RTC_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n" + lines_between_resets


def test_a_good_boot_silences_the_watchdog() -> None:
    bench = Bench().load(*factory_flash("silent"))
    bench.run(5 * WATCHDOG_NS)
    assert bench.soc.boots == 1


def test_without_a_watchdog_a_failed_boot_is_not_restarted() -> None:
    bench = Bench(config=ORACLE)
    bench.run(30 * S)
    assert bench.soc.boots == 1


def test_chips_before_revision_3_say_it_in_the_words_of_the_older_rom() -> None:
    bench = Bench(config=ChipConfig(efuse="PICO-D4"))
    assert bench.run(WATCHDOG_NS - MS) == (
        b"ets Jun  8 2016 00:22:57\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n"
        b"flash read err, 1000\r\nets_main.c 371 \r\n"
    )


def test_mtdo_low_silences_the_rom_but_not_the_second_stage() -> None:
    bench = Bench(strap=StrapPins(mtdo=False).value()).load(*factory_flash("esp-idf"))
    assert bench.run().startswith(GREEN + b"I (")


def test_a_reset_in_the_middle_of_a_boot_starts_over_and_leaves_nothing_behind() -> None:
    bench = Bench().load(*factory_flash("arduino"))
    bench.run(100 * MS)
    bench.soc.set_enabled(False)
    del bench.chunks[:]
    bench.kernel.advance(S)
    assert bench.said() == b""
    bench.soc.set_enabled(True)
    bench.kernel.advance(S + 100 * MS)
    assert bench.said().startswith(b"ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET)")


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_flash_content_boots_or_fails_without_an_exception(head: bytes, table: bytes) -> None:
    bench = Bench().load((0x1000, b"\xe9" + head), (0x8000, table))
    bench.run(2 * S)
    assert b"rst:0x1 (POWERON_RESET)" in bench.said()


@given(st.binary(max_size=400), st.binary(max_size=400))
def test_any_table_and_app_behind_a_good_loader_end_in_an_app_or_in_a_restart(table: bytes, app: bytes) -> None:
    entry = struct.pack("<HBBII16sI", 0x50AA, 0, 0, APP_OFFSET, 0x100000, b"factory", 0)
    bench = Bench().load(LOADER, (0x8000, entry + table), (APP_OFFSET, b"\xe9" + app))
    bench.run(S)
    assert bench.soc.boots > 1 or any(text == "app at 0x10000 starts" for _, text in bench.notes)


# Applications


def test_every_profile_ships_as_a_bootable_flash() -> None:
    for name in PROFILES:
        bench = Bench().load(*factory_flash(name))
        bench.run()
        assert ("boot", "app at 0x10000 starts") in bench.notes, name
        assert errors(bench.said()) == [], name


def after_boot(name: str, time_ns: int) -> Bench:
    """Return a bench whose app has run for about `time_ns`, with only what the app said."""
    bench = Bench().load(*factory_flash(name))
    bench.soc.set_enabled(True)
    said_before = 0
    while ("boot", "app at 0x10000 starts") not in bench.notes:
        said_before = len(bench.chunks)
        bench.kernel.advance(bench.kernel.next_deadline() or 0)
    del bench.chunks[:said_before]
    bench.kernel.advance(bench.kernel.now + time_ns)
    return bench


def test_arduino_counts_once_a_second_with_one_event_per_line() -> None:
    bench = after_boot("arduino", 0)
    before = bench.kernel.executed
    bench.kernel.advance(bench.kernel.now + 100 * S)
    said = [chunk for chunk in bench.chunks if chunk.data]
    assert said[2].data == b"counter: 3\r\n"
    assert said[50].start_ns - said[49].start_ns == S
    assert len(said) == 100
    assert bench.kernel.executed - before <= 101


def test_softrf_sends_nmea_with_good_checksums_at_38400() -> None:
    bench = after_boot("softrf", 5 * S)
    sentences = [line for line in bench.said().split(b"\r\n") if line.startswith(b"$")]
    assert len(sentences) == 3 * 4
    for sentence in sentences:
        body, _, checksum = sentence[1:].partition(b"*")
        assert int(checksum, 16) == reduce(xor, body)
    assert {chunk.baud for chunk in bench.chunks} == {38400}


def test_nmea_checksum_of_a_known_sentence() -> None:
    assert nmea("GPGLL,5300.97914,N,00259.98174,E,125926,A") == b"$GPGLL,5300.97914,N,00259.98174,E,125926,A*28\r\n"


def test_meshtastic_lines_start_with_an_escape() -> None:
    said = after_boot("meshtastic", 3 * S).said().splitlines()
    assert len(said) >= 5
    assert all(line.startswith(b"\x1b[3") for line in said)


def test_micropython_prompts_and_echoes() -> None:
    bench = after_boot("micropython", 100 * MS)
    assert bench.said().endswith(b'Type "help()" for more information.\r\n>>> ')
    bench.chunks.clear()
    bench.soc.receive(Chunk(b"\xc0\x00print(1)\r\xc0", bench.kernel.now, byte_time(115200), 115200))
    assert bench.said() == b"print(1)\r\n>>> "


def test_silent_says_nothing() -> None:
    assert after_boot("silent", 10 * S).said() == b""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("boot-loop", b"Guru Meditation Error: Core  1 panic'ed"),
        ("brown-out-loop", b"Brownout detector was triggered"),
    ],
)
def test_a_failing_app_restarts_the_chip_again_and_again(name: str, text: bytes) -> None:
    bench = after_boot(name, 5 * S)
    assert bench.soc.boots >= 5
    assert bench.said().count(text) >= 5
    assert bench.said().count(b"rst:0xc (SW_CPU_RESET),boot:0x13") == bench.soc.boots - 1


def test_an_unknown_app_runs_as_the_boards_profile_behind_its_own_start_up_log() -> None:
    bench = Bench(config=ChipConfig(firmware="softrf")).load(LOADER, TABLE, (APP_OFFSET, APP))
    said = bench.run(4 * S)
    assert b"app_init: Project name:     blink" in said
    assert b"$GPGGA," in said


def test_an_app_that_names_a_profile_overrides_the_boards() -> None:
    bench = Bench(config=ChipConfig(firmware="softrf")).load(LOADER, TABLE, (APP_OFFSET, make_app(project="Micropython")))
    said = bench.run(4 * S)
    assert b"$GPGGA," not in said
    assert said.endswith(b">>> ")


def test_an_unknown_profile_is_refused_with_the_nearest() -> None:
    with pytest.raises(ScenarioError, match="there is no firmware profile 'ardiuno'") as caught:
        profile("ardiuno")
    assert caught.value.hint == "did you mean arduino?"


# Straps and scripts


@pytest.mark.parametrize(
    ("pins", "io0_low", "value"),
    [
        (StrapPins(), False, 0x13),
        (StrapPins(), True, 0x03),
        (StrapPins(io4=True), False, 0x17),
        (StrapPins(io4=True), True, 0x07),
        (StrapPins(mtdi=True), False, 0x33),
        (StrapPins(io2=True), True, 0x0B),
        (StrapPins(mtdo=False), False, 0x11),
        (StrapPins(io5=False), False, 0x12),
    ],
)
def test_pin_levels_make_the_strap_value(pins: StrapPins, io0_low: bool, value: int) -> None:
    assert pins.value(io0_low=io0_low) == value


def test_every_strap_value_has_a_mode_and_mtdi_changes_none() -> None:
    for value in range(0x20):
        assert boot_mode(value) == boot_mode(value | 0x20)
        assert boot_mode(value).is_download == (value < 8 or value == 0xF)
        assert (boot_mode(value).target is BootTarget.FLASH) == (value >= 0x10)


def test_a_script_waits_for_the_last_bit_or_for_its_pause_whichever_is_longer() -> None:
    bench = Bench()
    times: list[int] = []

    def steps() -> Iterator[Step]:
        for text, pause_ns in ((b"x" * 10, 0), (b"x" * 10, 5 * MS), (b"", 3 * MS)):
            times.append(bench.kernel.now)
            yield Step(text, pause_ns)
        times.append(bench.kernel.now)

    bench.soc.set_enabled(True)
    bench.soc.jump(Script(bench.soc, steps()))
    bench.kernel.advance(S)
    line = 10 * byte_time(115200)
    assert times == [0, line, line + 5 * MS, line + 8 * MS]


def test_bytes_before_the_banner_are_lost() -> None:
    bench = Bench()
    bench.soc.set_enabled(True)
    assert isinstance(first_program(bench.soc), Script)
    bench.soc.receive(Chunk(b"\xc0", 0, byte_time(115200), 115200))
    assert bench.run(10 * MS).startswith(b"ets ")


def test_partition_rows_beyond_the_known_kinds_are_listed_as_unknown() -> None:
    rows = [PartitionRow(name="mine", type=0x40, subtype=1, offset=0x20000, size=0x1000), *SINGLE_APP]
    said = lines(Bench().load(LOADER, (0x8000, make_partition_table(rows)), (APP_OFFSET, APP)).run())
    assert "I boot:  0 mine             Unknown          40 01 00020000 00001000" in said
