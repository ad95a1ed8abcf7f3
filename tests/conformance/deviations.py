"""Recorded answers that the model does not give, each with its reason. `docs/fidelity.md` lists the same names."""

from __future__ import annotations

ROM: dict[str, str] = {}
"""Probes of ``rom_*.json``."""
