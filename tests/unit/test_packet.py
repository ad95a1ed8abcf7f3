"""Packets and commands: the bytes that the oracle recorded, both ways."""

from __future__ import annotations

from functools import reduce
from operator import xor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashcore.protocol import commands
from flashcore.protocol.exchange import Dialect, Exchange, Refusal, Reply
from flashcore.protocol.opcodes import Opcode
from flashcore.protocol.packet import Request, checksum, data_request, parse_response
from flashcore.protocol.slip import encode
from tests.oracle import expand, probes


def sent(name: str, probe: str, note: str) -> bytes:
    """Return what the probe sent in the exchange whose note starts with `note`."""
    for item in probes(name):
        if item["name"] == probe:
            for exchange in item["exchanges"]:
                if exchange.get("note", "").startswith(note):
                    return expand(exchange["send"])
    raise AssertionError(f"{name}: {probe}: {note} not found")


@pytest.mark.parametrize(
    ("request_", "vector"),
    [
        (commands.sync(), ("rom_reg", "read_magic", "SYNC")),
        (commands.read_reg(0x40001000), ("rom_reg", "read_magic", "READ_REG 0x40001000")),
        (commands.spi_attach(stub=False), ("rom_flash", "flash_ok", "SPI_ATTACH")),
        (commands.spi_set_params(0x400000), ("rom_flash", "flash_ok", "SPI_SET_PARAMS")),
        (commands.flash_begin(0x800, 2, 0x400, 0x10000), ("rom_flash", "flash_ok", "FLASH_BEGIN")),
        (commands.mem_begin(32, 2, 16, 0x3FFE8000), ("rom_mem", "mem_ok", "MEM_BEGIN")),
        (commands.flash_defl_begin(0x400, 2, 0x400, 0x10000), ("rom_defl", "defl_one_block", "FLASH_DEFL_BEGIN")),
    ],
)
def test_requests_are_the_recorded_bytes(request_: Request, vector: tuple[str, str, str]) -> None:
    assert encode(request_.pack()) == sent(*vector)


@given(st.binary(max_size=5000))
def test_checksum_is_the_xor_of_all_bytes_and_ef(data: bytes) -> None:
    assert checksum(data) == reduce(xor, data, 0xEF)


def test_data_request_carries_length_sequence_and_checksum() -> None:
    packet = data_request(Opcode.FLASH_DATA, b"\x01\x02", 7).pack()
    assert packet.hex() == "00031200" + "ec000000" + "02000000" + "07000000" + "00" * 8 + "0102"


@pytest.mark.parametrize("packet", [b"", b"\x01\x08", b"\x00" * 12])
def test_what_is_no_response_gives_none(packet: bytes) -> None:
    assert parse_response(packet) is None


def answers(wire: str, opcode: Opcode, dialect: Dialect = Dialect.ROM, also: Opcode | None = None) -> Reply | Refusal | None:
    exchange = Exchange(dialect)
    exchange.feed(bytes.fromhex(wire))
    return exchange.next_answer(opcode, also=also)


def test_reply_of_the_rom_is_told_from_its_status() -> None:
    assert answers("c0010a0400831df00000000000c0", Opcode.READ_REG) == Reply(0x00F01D83, b"")


def test_refusal_of_the_rom_names_its_code() -> None:
    assert answers("c0010704000707122001070000c0", Opcode.MEM_DATA) == Refusal(0x07, bytes.fromhex("01070000"))


def test_refusal_of_a_stub_names_its_code() -> None:
    assert answers("c00103020000000000c100c0", Opcode.FLASH_DATA, Dialect.STUB) == Refusal(0xC1, b"\xc1\x00")


def test_leftovers_in_the_second_status_byte_do_not_make_a_refusal() -> None:
    """Oracle fact 19: after an error the ROM succeeds with 00 05 or 00 07."""
    assert answers("c0010704000707122000050000c0", Opcode.MEM_DATA) == Reply(0x20120707, b"")


def test_unknown_command_is_refused_under_the_last_good_opcode() -> None:
    wire = "c0010804000707122001050000c0" * 8
    assert answers(wire, Opcode.GET_SECURITY_INFO) is None
    refusal = answers(wire, Opcode.GET_SECURITY_INFO, also=Opcode.SYNC)
    assert refusal == Refusal(0x05, bytes.fromhex("01050000"))


def test_late_answers_to_other_commands_are_passed_over_and_counted() -> None:
    exchange = Exchange()
    exchange.feed(bytes.fromhex("c0010804000707122000000000c0" * 7 + "c0010a0400831df00000000000c0"))
    assert exchange.next_answer(Opcode.READ_REG) == Reply(0x00F01D83, b"")
    assert exchange.stale_count == 7


def test_damaged_size_field_is_junk_not_an_answer() -> None:
    exchange = Exchange()
    exchange.feed(bytes.fromhex("c0010a0500831df00000000000c0"))
    assert exchange.next_answer(Opcode.READ_REG) is None
    assert exchange.junk_count == 1


def test_what_is_heard_is_kept_for_the_diagnosis_within_bounds() -> None:
    exchange = Exchange()
    exchange.feed(b"ets Jul 29 2019 12:21:46\r\n")
    assert exchange.heard == b"ets Jul 29 2019 12:21:46\r\n"
    exchange.feed(b"x" * 100_000)
    assert len(exchange.heard) <= 8192
