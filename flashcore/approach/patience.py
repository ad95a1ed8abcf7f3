"""How long to wait for a port, as data with its sources."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Waits in seconds."""

    appear_s: float = 15.0
    """For a board where none is there. Source: fault catalogue rows 29, 62 (a port is there for a moment each 0.3 to 10 s)."""
    other_s: float = 2.0
    """For the port that was asked for where other boards are there: what is missing is then its name, not its power. Also for a
    port of a USB device that is there already. Source: fault catalogue row 12 (the system takes 1 s to set a port up)."""
    busy_s: float = 15.0
    """For another program to close the port. Source: fault catalogue row 23 (ModemManager holds a new port for 10 s)."""
    busy_twin_s: float = 1.0
    """The same where another port leads to the same device."""
    denied_s: float = 2.0
    """For the system to set permissions of a new port. Source: fault catalogue row 12."""
    settings_s: tuple[float, ...] = (0.5, 1.0, 3.0)
    """Pauses before opening again a port whose driver refused its settings. Source: fault catalogue row 22."""
    return_s: float = 10.0
    """For a port that went to come back. Source: fault catalogue row 9."""
    poll_s: float = 0.02
    """Between two looks: a port that is there for 300 ms must be caught (fault catalogue row 29)."""
    grabbed_s: float = 3.0
    """A port that goes this soon after it was opened, and not by our doing, was taken away. Source: fault catalogue row 23
    (2 s)."""
    own_doing_s: float = 0.5
    """A port that goes this soon after a change of the modem lines went because of it: it belongs to what was reset."""


DEFAULT_PATIENCE = Patience()
"""What suits a user at a desk."""
