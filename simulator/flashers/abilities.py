"""What a flasher can be asked for through its adapter. A case that wants anything else is not run, and the report says why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique

from simulator.faults.presets.schema import Action
from simulator.flashers.task import USUAL_BAUD, Task


@unique
class Link(StrEnum):
    """How a flasher reaches the board."""

    PROCESS = "process"
    """In this process, in virtual time."""
    VIRTUAL = "virtual"
    """In its own Python interpreter, in virtual time."""
    PTY = "pty"
    """A pseudo-terminal, in real time, with modem lines where they can be had."""
    RFC2217 = "rfc2217"
    """Over the network, in real time, with modem lines."""
    TCP = "tcp"
    """Over the network, in real time, without modem lines."""
    WEBSOCKET = "websocket"
    """For JavaScript, in real time, with modem lines."""

    @property
    def is_virtual(self) -> bool:
        """Whether time is virtual."""
        return self in (Link.PROCESS, Link.VIRTUAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What an adapter can do with its flasher.

    Args:
        link: How the flasher reaches the board.
        actions: What it can be asked for.
        finds_port: Whether it can look for the port by itself.
        several_images: Whether it takes more than one image at a time.
        takes_baud: Whether it can be told a rate.
        erases_all: Whether it can be asked to erase the whole flash.
        erases_part: Whether it can be asked to erase a part of it.
        wall_s: Seconds of the machine's time after which a session is ended.
    """

    link: Link
    actions: tuple[Action, ...] = ("write", "read", "erase")
    finds_port: bool = True
    several_images: bool = True
    takes_baud: bool = True
    erases_all: bool = True
    erases_part: bool = True
    wall_s: float = 120.0

    def lacks(self, task: Task) -> str:
        """Return why `task` cannot be given to the flasher; nothing if it can."""
        job = task.job
        if job.action not in self.actions:
            return f"it is not known how to ask it to {job.action}"
        if job.whole and not self.erases_all:
            return "it is not known how to ask it to erase the whole flash"
        if job.action == "erase" and not job.whole and not self.erases_part:
            return "it cannot erase a part of the flash"
        if job.port == "auto" and not self.finds_port:
            return "it cannot look for its port by itself"
        if len(job.images) > 1 and job.action == "write" and not self.several_images:
            return "it takes one image at a time"
        if job.baud != USUAL_BAUD and not self.takes_baud:
            return "it is not known how to tell it a baud rate"
        if not self.link.is_virtual and task.scenario.needs_host_view:
            return f"a {self.link} cannot be refused, nor leave and come back as a port does"
        if not (self.link.is_virtual or self.link is Link.PTY) and task.scenario.has_host:
            return f"a {self.link} has no list of ports or USB devices behind it"
        return ""
