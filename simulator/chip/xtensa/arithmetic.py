"""Arithmetic and comparisons of the Xtensa core, as functions of words.

Source: Xtensa ISA summary, instruction descriptions. Fidelity: from data sheet.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

WORD = 0xFFFF_FFFF

_SIGNED_CONSTANTS = (-1, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 32, 64, 128, 256)
_UNSIGNED_CONSTANTS = (32768, 65536, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 32, 64, 128, 256)


def signed(value: int, bits: int) -> int:
    """Return the lowest `bits` of `value` as a two's complement number."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> bits - 1 else value


COMPARE: tuple[Callable[[int, int], bool], ...] = (
    lambda left, right: left == right,
    lambda left, right: left != right,
    lambda left, right: signed(left, 32) < signed(right, 32),
    lambda left, right: signed(left, 32) >= signed(right, 32),
)
"""EQ, NE, LT, GE, as conditional branches and moves number them."""


def compare_immediate(value: int, constant: int, which: int, *, unsigned: bool) -> bool:
    """Return whether a branch against one of the coded constants is taken.

    Args:
        value: The register.
        constant: Number of the constant, 0..15.
        which: 0 equal, 1 not equal, 2 less, 3 greater or equal.
        unsigned: Whether both are unsigned.
    """
    if unsigned:
        return (value < _UNSIGNED_CONSTANTS[constant]) == (which == 2)
    return COMPARE[which](value, _SIGNED_CONSTANTS[constant] & WORD)


def shift(op2: int, s: int, t: int, amount: int) -> int:
    """Return the result of SRC, SRL, SLL or SRA (op2 8 to 11) with the shift amount register at `amount`."""
    match op2:
        case 8:
            return (s << 32 | t) >> amount
        case 9:
            return t >> amount
        case 10:
            return s << 32 - amount
        case _:
            return signed(t, 32) >> amount


_ALU: MappingProxyType[tuple[int, int], Callable[[int, int], int]] = MappingProxyType(
    {
        (0, 1): lambda s, t: s & t,
        (0, 2): lambda s, t: s | t,
        (0, 3): lambda s, t: s ^ t,
        (0, 8): lambda s, t: s + t,
        (0, 9): lambda s, t: (s << 1) + t,
        (0, 10): lambda s, t: (s << 2) + t,
        (0, 11): lambda s, t: (s << 3) + t,
        (0, 12): lambda s, t: s - t,
        (0, 13): lambda s, t: (s << 1) - t,
        (0, 14): lambda s, t: (s << 2) - t,
        (0, 15): lambda s, t: (s << 3) - t,
        (1, 12): lambda s, t: (s & 0xFFFF) * (t & 0xFFFF),
        (1, 13): lambda s, t: signed(s, 16) * signed(t, 16),
        (2, 8): lambda s, t: s * t,
        (2, 10): lambda s, t: s * t >> 32,
        (2, 11): lambda s, t: signed(s, 32) * signed(t, 32) >> 32,
        (3, 4): lambda s, t: min(signed(s, 32), signed(t, 32)),
        (3, 5): lambda s, t: max(signed(s, 32), signed(t, 32)),
        (3, 6): min,
        (3, 7): max,
    }
)
"""By op1 and op2: AND, OR, XOR, ADD..., SUB..., MUL16, MULL, MULUH, MULSH, MIN, MAX, MINU, MAXU."""


def alu(op1: int, op2: int, s_number: int, s: int, t: int) -> int | None:
    """Return the result of an operation on two registers, or ``None`` if there is none with that number.

    Args:
        op1: Third field of the instruction from the top.
        op2: Topmost field.
        s_number: The number of the s register, which tells NEG from ABS.
        s: Its value.
        t: Value of the t register.
    """
    if (op1, op2) == (0, 6) and s_number <= 1:
        return abs(signed(t, 32)) if s_number else -t
    if op1 == 2 and op2 >= 12 and t:
        return _divide(op2, s, t)
    operation = _ALU.get((op1, op2))
    return None if operation is None else operation(s, t)


def _divide(op2: int, s: int, t: int) -> int:
    """QUOU, QUOS, REMU, REMS (op2 12 to 15); division truncates towards zero."""
    if op2 in (12, 14):
        return s // t if op2 == 12 else s % t
    left, right = signed(s, 32), signed(t, 32)
    quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    return quotient if op2 == 13 else left - quotient * right
