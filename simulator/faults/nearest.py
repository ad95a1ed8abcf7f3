"""Naming what somebody may have meant."""

from __future__ import annotations

import difflib


def nearest(name: str, known: list[str]) -> str:
    """Return a sentence that names the closest of `known` to `name`, or all of them."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else "known: " + ", ".join(known)
