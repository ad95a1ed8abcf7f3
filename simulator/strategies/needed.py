"""Hypothesis, or a clear word that it is missing; the other modules here take it from this one."""

from __future__ import annotations

try:
    import hypothesis.stateful as stateful
    from hypothesis import strategies as st
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "simulator.strategies needs Hypothesis, which is not installed: pip install 'flashcore[hypothesis]'", name=error.name
    ) from error

__all__ = ["st", "stateful"]
