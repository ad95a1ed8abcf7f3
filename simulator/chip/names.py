"""Refusing a name that a scenario got wrong, with the nearest right one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from flashcore.errors import ScenarioError


def unknown(kind: str, name: str, known: Iterable[str]) -> ScenarioError:
    """Return the error for a `kind` of thing called `name`, where only `known` exist."""
    names = sorted(known)
    nearest = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.0)
    return ScenarioError(
        f"there is no {kind} {name!r}; expected one of: {', '.join(names)}",
        hint=f"did you mean {nearest[0]}?" if nearest else "",
        context={"name": name},
    )
