"""What a fault is: where it sits, when it strikes, what it does, and what ends it. Plain frozen values.

A fault says nothing about how it is carried out; `simulator.faults.plan` puts it to work on a running device. Every fault is
transient (a flasher must get over it) or permanent (it must stop with the right diagnosis), and counts how often it fired.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique

from simulator.faults.actions_chip import ChipAction, ChipState
from simulator.faults.actions_device import DeviceAction
from simulator.faults.actions_flash import FlashAction, FlashState
from simulator.faults.actions_flow import FlowAction
from simulator.faults.actions_host import HostAction
from simulator.faults.actions_lines import LineAction, LinesOnClose
from simulator.faults.actions_power import PowerAction
from simulator.faults.actions_stream import StreamAction
from simulator.faults.heals import Heals, Never
from simulator.faults.triggers import Trigger

UNLIMITED = 0
"""Value of ``times`` for a fault that may strike without end."""


@unique
class Where(StrEnum):
    """The place at which a fault sits."""

    HOST_TO_BRIDGE = "host_to_bridge"
    BRIDGE_TO_CHIP = "bridge_to_chip"
    CHIP_TO_BRIDGE = "chip_to_bridge"
    BRIDGE_TO_HOST = "bridge_to_host"
    LINES = "lines"
    POWER = "power"
    USB = "usb"
    CHIP = "chip"
    FLASH = "flash"
    PORT = "port"


STREAMS = (Where.HOST_TO_BRIDGE, Where.BRIDGE_TO_CHIP, Where.CHIP_TO_BRIDGE, Where.BRIDGE_TO_HOST)
"""Places where bytes pass, from the host to the chip and back."""

SHORT_PLACES = {"h2d": Where.HOST_TO_BRIDGE, "d2h": Where.BRIDGE_TO_HOST}
"""Short names for the two ends that a flasher sees."""

Action = (
    StreamAction
    | FlowAction
    | ChipAction
    | ChipState
    | FlashAction
    | FlashState
    | LineAction
    | LinesOnClose
    | PowerAction
    | DeviceAction
    | HostAction
)
"""Anything that a fault may do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong.

    Args:
        where: The place.
        when: What sets it off.
        what: What happens then.
        times: How often it may strike; 0 is without limit.
        heals: What ends it.
        transient: Whether a flasher is expected to get over it.
        name: What reports call it; by default its text form.
    """

    where: Where
    when: Trigger
    what: Action
    times: int = UNLIMITED
    heals: Heals = field(default_factory=Never)
    transient: bool = True
    name: str = ""
