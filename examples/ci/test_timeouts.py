"""How long the uploader waits for a link that is silent, half dead, slow or late, and what it makes of it.

Every figure is in seconds of the board's clock and follows from esptool's settings, so it is the same on every machine, and a
test fails as soon as one of them changes: by a release, a patch, or an esptool.cfg. Twenty minutes of waiting take seconds.
"""

from __future__ import annotations

import hashlib

import pytest
import uploader
from esptool import FatalError

MB = 1_000_000
MIB = 1 << 20

IMAGE = b"".join(hashlib.shake_256(b"block %d" % number).digest(512) + bytes(256) for number in range(96))
AT = 0x10000

ROUND_S = 5 * (0.1 + 0.05)
"""One round of connecting: five SYNCs, each with its time for an answer and its pause."""

EXACT = 0.01
"""What the wire and the USB adapter may add to a timeout."""


def waited(watch, seconds):
    """Tell whether `watch` shows `seconds`, and nothing worth mentioning on top."""
    return watch.seconds == pytest.approx(seconds, abs=EXACT)


# Silent: nothing ever comes.


@pytest.mark.espsim(fault="silent-line")
def test_a_silent_port_is_given_up_after_seven_rounds(espsim_board, espsim_url):
    with espsim_board.lasting() as watch, pytest.raises(FatalError, match="No serial data received"):
        uploader.connect(espsim_url, reset=False)
    assert waited(watch, 7 * ROUND_S)


@pytest.mark.espsim(fault="silent-line")
def test_a_silent_port_costs_the_resets_too(espsim_board, espsim_url):
    with espsim_board.lasting() as watch, pytest.raises(FatalError, match="No serial data received"):
        uploader.connect(espsim_url)
    # EN is held for 0.1 s, then BOOT for 0.05 s and 0.55 s in turn.
    resets = 7 * 0.1 + 4 * 0.05 + 3 * 0.55
    assert watch.seconds == pytest.approx(7 * ROUND_S + resets, abs=0.1)


@pytest.mark.espsim(fault="d2h:always:drop")
def test_a_broken_receive_line_takes_as_long_as_a_silent_port(espsim_board, espsim_url):
    with espsim_board.lasting() as watch, pytest.raises(FatalError, match="No serial data received"):
        uploader.connect(espsim_url)
    assert watch.seconds == pytest.approx(7.85, abs=0.1)


@pytest.mark.espsim(fault="wrong-port-echo")
def test_a_port_that_echoes_is_given_up_as_well(espsim_board, espsim_url):
    with espsim_board.lasting() as watch, pytest.raises(FatalError, match="Serial data stream stopped"):
        uploader.connect(espsim_url)
    assert watch.seconds == pytest.approx(8.15, abs=0.1)


@pytest.mark.espsim(fault="wrong-port-modem")
def test_a_modem_is_given_up_sooner_since_it_answers(espsim_board, espsim_url):
    with espsim_board.lasting() as watch, pytest.raises(FatalError, match="Invalid head of packet"):
        uploader.connect(espsim_url)
    assert watch.seconds == pytest.approx(4.85, abs=0.1)


# Half dead: it works, then it falls silent in the middle of something.


@pytest.mark.espsim(fault="h2d:nth_frame(MEM_DATA,2):stall")
def test_the_stub_upload_waits_three_seconds_for_a_block(espsim_board, espsim_url):
    chip = uploader.connect(espsim_url, stub=False)
    with espsim_board.lasting() as watch, pytest.raises(FatalError, match="Serial data stream stopped"):
        uploader.run_stub(chip)
    # The first of two blocks of 6 KiB crosses the wire in 0.53 s, and the second goes nowhere.
    assert watch.seconds == pytest.approx(3.0 + 0.6, abs=0.1)


@pytest.mark.espsim(fault="h2d:nth_frame(MEM_END,1):stall")
def test_a_stub_that_does_not_start_is_noticed_at_once(espsim_board, espsim_url):
    chip = uploader.connect(espsim_url, stub=False)
    before = espsim_board.now_s
    with pytest.raises(FatalError, match="Failed to start stub"):
        uploader.run_stub(chip)
    struck = next(event.at_ns for event in espsim_board.events if event.kind == "fault") / 1e9
    assert before < struck
    assert espsim_board.now_s - struck == pytest.approx(0.2, abs=EXACT)


@pytest.mark.espsim(fault="h2d:nth_frame(ERASE_FLASH,1):stall")
def test_erasing_everything_waits_two_minutes(espsim_board, espsim_url):
    loader = uploader.connect(espsim_url)
    with espsim_board.lasting() as watch, pytest.raises(FatalError):
        uploader.erase(loader)
    assert waited(watch, 120)


@pytest.mark.espsim(fault="h2d:nth_frame(ERASE_REGION,1):stall")
def test_erasing_a_region_waits_by_its_size(espsim_board, espsim_url):
    loader = uploader.connect(espsim_url)
    with espsim_board.lasting() as watch, pytest.raises(FatalError):
        uploader.erase(loader, 0, 4 * MIB)
    assert waited(watch, 40 * 4 * MIB / MB)


@pytest.mark.espsim(board="ttgo-t-display-16mb", fault="h2d:nth_frame(ERASE_REGION,1):stall")
def test_nothing_waits_longer_than_four_minutes(espsim_board, espsim_url):
    loader = uploader.connect(espsim_url)
    with espsim_board.lasting() as watch, pytest.raises(FatalError):
        uploader.erase(loader, 0, 16 * MIB)
    assert waited(watch, 240)


@pytest.mark.espsim(fault="h2d:nth_frame(SPI_FLASH_MD5,1):stall")
def test_a_digest_waits_by_its_size(espsim_board, espsim_url):
    loader = uploader.connect(espsim_url)
    with espsim_board.lasting() as watch, pytest.raises(FatalError):
        uploader.digest(loader, 0, 4 * MIB)
    assert waited(watch, 8 * 4 * MIB / MB)


@pytest.mark.espsim(fault="h2d:nth_frame(FLASH_BEGIN,1):stall")
def test_without_a_stub_the_erase_before_a_write_waits_by_its_size(espsim_board, espsim_url):
    loader = uploader.connect(espsim_url, stub=False)
    with espsim_board.lasting() as watch, pytest.raises(FatalError):
        loader.flash_begin(MIB, 0)
    assert waited(watch, 40 * MIB / MB)


@pytest.mark.espsim(fault="h2d:nth_frame(FLASH_DEFL_DATA,2):stall")
def test_a_compressed_block_waits_for_all_that_may_have_to_be_erased(espsim_board, espsim_url):
    loader = uploader.connect(espsim_url)
    with pytest.raises(FatalError):
        uploader.upload(loader, AT, IMAGE)
    struck = next(event.at_ns for event in espsim_board.events if event.kind == "fault") / 1e9
    # A block of 16 KiB holds 24 KiB of this image, for which two blocks of 64 KiB may have to be erased.
    assert espsim_board.now_s - struck == pytest.approx(40 * (24 * 1024 + 2 * 64 * 1024) / MB, abs=0.05)


@pytest.mark.espsim(fault="h2d:nth_frame(READ_FLASH,1):stall")
def test_reading_waits_three_seconds_for_each_packet(espsim_board, espsim_url):
    loader = uploader.connect(espsim_url)
    with espsim_board.lasting() as watch, pytest.raises(FatalError):
        loader.read_flash(0, 0x1000)
    assert waited(watch, 3)


# Slow: it answers, but only just in time.


@pytest.mark.espsim(fault="d2h:nth_frame(ERASE_FLASH,1):delay(85)")
def test_a_flash_chip_that_erases_for_a_minute_and_a_half_is_waited_for(espsim_board, espsim_url):
    espsim_board.load(AT, b"old")
    loader = uploader.connect(espsim_url)
    uploader.erase(loader)
    assert espsim_board.now_s > 85
    assert set(espsim_board.flash) == {0xFF}


@pytest.mark.espsim(fault="d2h:nth_frame(SPI_FLASH_MD5,1):delay(30)")
def test_a_digest_that_takes_half_a_minute_is_waited_for(espsim_board, espsim_url):
    loader = uploader.connect(espsim_url)
    with espsim_board.lasting() as watch:
        found = uploader.digest(loader, 0, 4 * MIB)
    assert watch.seconds > 30
    assert found == hashlib.md5(espsim_board.flash).hexdigest()


def test_a_line_that_does_not_take_a_block_is_left_after_ten_seconds(espsim_board, espsim_url):
    loader = uploader.connect(espsim_url)
    loader.change_baud(9600)
    loader.flash_begin(len(IMAGE), AT)
    with espsim_board.lasting() as watch, pytest.raises(OSError, match="Write timeout"):
        loader.flash_block(IMAGE[: 16 * 1024], 0)
    assert waited(watch, 10)


# Late: the answer comes when nobody waits for it any more.


@pytest.mark.espsim(fault="d2h:nth_frame(READ_REG,1):delay(3.2)")
def test_an_answer_after_its_three_seconds_costs_a_second_attempt(espsim_board, espsim_url):
    loader = uploader.connect(espsim_url, stub=False)
    assert loader.CHIP_NAME == "ESP32"
    assert espsim_board.now_s == pytest.approx(4.1, abs=0.2)


@pytest.mark.espsim(fault="d2h:nth_frame(SYNC,1):delay(0.4)")
def test_late_answers_to_sync_are_not_taken_for_others(espsim_board, espsim_url):
    loader = uploader.connect(espsim_url)
    uploader.upload(loader, AT, IMAGE)
    assert espsim_board.flash[AT : AT + len(IMAGE)] == IMAGE


@pytest.mark.espsim(fault="h2d:nth_frame(FLASH_DATA,2):corrupt(at=400):times=0")
def test_a_block_that_arrives_damaged_each_time_is_sent_three_times(espsim_board, espsim_url):
    loader = uploader.connect(espsim_url)
    with pytest.raises(FatalError, match="after seq 1"):
        uploader.upload(loader, AT, IMAGE, compress=False)
    assert espsim_board.fired("h2d:nth_frame(FLASH_DATA,2):corrupt(at=400):times=0") == 3
