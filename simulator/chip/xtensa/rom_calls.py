"""The mask ROM's functions that a small program calls: output on UART0, delay, reset, and three for memory.

A call is known by its address. The functions see the caller's registers, where the calling convention puts arguments.

Source: ESP-IDF, the ESP32's ROM symbol table (addresses) and ROM header files (what the functions do).
Fidelity: from source; a line feed that is printed becomes carriage return and line feed, as in all recorded texts
(``rom_boot.json``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from simulator.chip.memory import Memory
from simulator.chip.xtensa.text import c_string, formatted
from simulator.kernel import US


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a ROM function.

    Args:
        memory: The address space.
        argument: Returns argument number n of the call as a word.
    """

    memory: Memory
    argument: Callable[[int], int]


@dataclass(frozen=True, slots=True)
class Result:
    """What a ROM function did.

    Args:
        value: What it returns.
        text: Bytes for UART0.
        wait_ns: How long it takes besides.
        reset: Whether it resets the chip.
    """

    value: int = 0
    text: bytes = b""
    wait_ns: int = 0
    reset: bool = False


def _printf(call: Call) -> Result:
    text = formatted(call.memory, call.argument)
    return Result(len(text), text.replace(b"\r", b"").replace(b"\n", b"\r\n"))


def _character(call: Call) -> Result:
    return Result(0, bytes([call.argument(0) & 0xFF]))


def _character_translated(call: Call) -> Result:
    byte = bytes([call.argument(0) & 0xFF])
    return Result(0, {b"\n": b"\r\n", b"\r": b""}.get(byte, byte))


def _delay(call: Call) -> Result:
    return Result(wait_ns=call.argument(0) * US)


def _copy(call: Call) -> Result:
    to, source, count = (call.argument(number) for number in range(3))
    call.memory.load(to, call.memory.dump(source, count))
    return Result(to)


def _fill(call: Call) -> Result:
    to, value, count = (call.argument(number) for number in range(3))
    call.memory.load(to, bytes([value & 0xFF]) * count)
    return Result(to)


def _length(call: Call) -> Result:
    return Result(len(c_string(call.memory, call.argument(0))))


FUNCTIONS: Mapping[int, Callable[[Call], Result]] = MappingProxyType(
    {
        0x4000_7D54: _printf,  # ets_printf
        0x4000_7CF8: _character_translated,  # ets_write_char_uart
        0x4000_9200: _character,  # uart_tx_one_char
        0x4000_922C: _character,  # uart_tx_one_char2
        0x4000_9258: lambda _: Result(),  # uart_tx_flush
        0x4000_9278: lambda _: Result(),  # uart_tx_wait_idle
        0x4000_7D28: lambda _: Result(),  # ets_install_uart_printf
        0x4000_8534: _delay,  # ets_delay_us
        0x4000_8550: lambda _: Result(),  # ets_update_cpu_frequency
        0x4000_824C: lambda _: Result(reset=True),  # software_reset
        0x4000_C2C8: _copy,  # memcpy
        0x4000_C44C: _fill,  # memset
        0x4000_14C0: _length,  # strlen
    }
)
"""Functions by address."""

ROM = range(0x4000_0000, 0x4007_0000)
"""Where the ROM's code lies."""
