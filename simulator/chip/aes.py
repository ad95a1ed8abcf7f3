"""AES-256 on single blocks, by tables of 32-bit words: what the flash encryption unit is made of.

The tables are computed from the field arithmetic, once, when the first block is asked for. Nothing here guards against side
channels: keys in this project protect nothing.

Source: FIPS 197.
"""

from __future__ import annotations

import struct
from functools import cache

BLOCK = 16
"""Bytes of one block."""

ROUNDS = 14
"""Rounds with a key of 256 bits."""

_WORDS = struct.Struct(">4I")
_KEY = struct.Struct(">8I")

_Table = tuple[int, ...]


def _double(value: int) -> int:
    return value << 1 ^ (0x11B if value & 0x80 else 0)


def _product(left: int, right: int) -> int:
    result = 0
    while right:
        if right & 1:
            result ^= left
        left, right = _double(left), right >> 1
    return result


def _rotated(word: int) -> int:
    return word >> 8 | (word & 0xFF) << 24


@cache
def _boxes() -> tuple[bytes, bytes]:
    """Return the substitution box and its inverse."""
    box = bytearray(256)
    power, inverse = 1, 1
    for _ in range(255):
        # `power` runs through all elements as powers of 3, `inverse` through their inverses.
        spread = inverse ^ inverse << 1 ^ inverse << 2 ^ inverse << 3 ^ inverse << 4
        box[power] = (spread ^ spread >> 8) & 0xFF ^ 0x63
        power = _product(power, 3)
        inverse = _product(inverse, 0xF6)
    box[0] = 0x63
    return bytes(box), bytes(box.index(value) for value in range(256))


@cache
def _tables() -> tuple[tuple[_Table, ...], tuple[_Table, ...]]:
    """Return four tables that substitute and mix one byte of a column forwards, and four that do it backwards."""
    box, inverse_box = _boxes()
    found = []
    for substitution, factors in ((box, (2, 1, 1, 3)), (inverse_box, (14, 9, 13, 11))):
        table = tuple(int.from_bytes(bytes(_product(value, factor) for factor in factors), "big") for value in substitution)
        tables = [table]
        for _ in range(3):
            tables.append(tuple(_rotated(word) for word in tables[-1]))
        found.append(tuple(tables))
    return found[0], found[1]


def expand(key: bytes) -> list[int]:
    """Return the 60 round key words of a key of 32 bytes."""
    box = _boxes()[0]
    words = list(_KEY.unpack(key))
    constant = 1
    for number in range(8, 4 * (ROUNDS + 1)):
        word = words[-1]
        if number % 4 == 0:
            if number % 8 == 0:
                word = (word << 8 | word >> 24) & 0xFFFF_FFFF
            word = box[word >> 24] << 24 | box[word >> 16 & 255] << 16 | box[word >> 8 & 255] << 8 | box[word & 255]
            if number % 8 == 0:
                word ^= constant << 24
                constant = _double(constant)
        words.append(words[-8] ^ word)
    return words


def backwards(words: list[int]) -> list[int]:
    """Return the round key words for decryption, made from those for encryption."""
    box = _boxes()[0]
    first, second, third, fourth = _tables()[1]
    result: list[int] = []
    for number in range(ROUNDS, -1, -1):
        part = words[4 * number : 4 * number + 4]
        if 0 < number < ROUNDS:
            part = [
                first[box[w >> 24]] ^ second[box[w >> 16 & 255]] ^ third[box[w >> 8 & 255]] ^ fourth[box[w & 255]] for w in part
            ]
        result += part
    return result


def crypt(words: list[int], block: bytes, *, inverse: bool) -> bytes:
    """Encrypt a block, or decrypt it with words from `backwards`."""
    t0, t1, t2, t3 = _tables()[inverse]
    box = _boxes()[inverse]
    a, b, c, d = (column ^ word for column, word in zip(_WORDS.unpack(block), words, strict=False))
    for at in range(4, 4 * ROUNDS, 4):
        # Rows shift to the other side on the way back, so the second and fourth columns change places.
        p, r = (d, b) if inverse else (b, d)
        e = t0[a >> 24] ^ t1[p >> 16 & 255] ^ t2[c >> 8 & 255] ^ t3[r & 255] ^ words[at]
        p, r = (a, c) if inverse else (c, a)
        f = t0[b >> 24] ^ t1[p >> 16 & 255] ^ t2[d >> 8 & 255] ^ t3[r & 255] ^ words[at + 1]
        p, r = (b, d) if inverse else (d, b)
        g = t0[c >> 24] ^ t1[p >> 16 & 255] ^ t2[a >> 8 & 255] ^ t3[r & 255] ^ words[at + 2]
        p, r = (c, a) if inverse else (a, c)
        h = t0[d >> 24] ^ t1[p >> 16 & 255] ^ t2[b >> 8 & 255] ^ t3[r & 255] ^ words[at + 3]
        a, b, c, d = e, f, g, h
    state = (a, b, c, d)
    step = -1 if inverse else 1
    out = []
    for column in range(4):
        word = 0
        for row in range(4):
            word = word << 8 | box[state[(column + step * row) % 4] >> 24 - 8 * row & 255]
        out.append(word ^ words[4 * ROUNDS + column])
    return _WORDS.pack(*out)
