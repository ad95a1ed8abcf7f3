"""Making the words of a flasher harmless: whatever it prints is shown, and none of it takes effect."""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters
    "\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # invisible ones, and those that turn the direction round
    "\ud800-\udfff\ufffe\uffff]"  # what no file may hold
)


def visible(text: str) -> str:
    r"""Return `text` with every character that is not seen, or not allowed in XML, as an escape such as ``\x1b``."""
    return _UNSEEN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def one_line(text: str, limit: int = 300) -> str:
    """Return `text` as one line of at most `limit` visible characters."""
    line = " ".join(visible(text).split())
    return line if len(line) <= limit else line[: limit - 3].rstrip() + "..."


def plural(count: int, word: str) -> str:
    """Return a count with its noun."""
    if count == 1:
        return f"1 {word}"
    ending = {"s": "es", "S": "ES"}.get(word[-1], "s")
    return f"{count} {word}{ending}"
