"""A run before it starts: which board, which faults, which seed, what is on the flash. And the world that comes of it.

A scenario is plain data, so that it can travel to another process as JSON and be repeated from a command line. Building it
checks everything that can be wrong with it, with one error that names the nearest thing that exists.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flashcore.errors import ScenarioError

if TYPE_CHECKING:
    # Building takes the whole simulator; describing a run to another process takes none of it.
    from simulator.board.board import AdapterDevice, Board
    from simulator.faults.active import ActiveFault
    from simulator.faults.model import Fault
    from simulator.faults.presets.host_table import HostSetup
    from simulator.faults.presets.schema import BoardSetup, StartSetup
    from simulator.host.virtual_host import VirtualHost
    from simulator.record.events import Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What a run consists of.

    Args:
        board: Name of the board preset.
        faults: Names of fault presets, or faults in text form.
        seed: The run's only randomness.
        download: Whether the chip waits for a flasher from the start, as if BOOT had been held at power-on.
        flash: File whose content is on the flash, from offset 0; empty for a blank one.
        firmware: Name of the profile that the app on the flash runs, in place of a flash file; empty for no app.
        efuse: File with the chip's eFuses, in place of those that the board left the factory with; empty for these.
        keep_events: Whether to keep the events for a transcript.
    """

    board: str = "esp32-devkitc"
    faults: tuple[str, ...] = ()
    seed: int = 0
    download: bool = False
    flash: str = ""
    firmware: str = ""
    efuse: str = ""
    keep_events: bool = False

    @property
    def needs_host_view(self) -> bool:
        """Whether ports or USB devices come and go, or are refused, which no file or address can show.

        Raises:
            PlanError: A fault is unknown or malformed.
        """
        from simulator.faults.actions_host import HostAction
        from simulator.faults.text import parse

        plans = _plans(self.faults)
        faults = [fault for plan in plans for fault in plan.faults]
        devices = [device for plan in plans if plan.host is not None for device in plan.host.devices]
        faults += [parse(text) for device in devices for port in device.ports for text in port.faults]
        return any(isinstance(fault.what, HostAction) for fault in faults)

    @property
    def has_host(self) -> bool:
        """Whether there is a whole computer with ports of its own.

        Raises:
            PlanError: A fault is unknown or malformed.
        """
        return any(plan.host is not None for plan in _plans(self.faults))

    def to_json(self) -> str:
        """Return the scenario as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Scenario:
        """Return the scenario that `to_json` wrote."""
        raw = json.loads(text)
        return cls(**{**raw, "faults": tuple(raw["faults"])})

    def check(self) -> None:
        """Raise what `build` would raise, without building.

        Raises:
            ScenarioError: The board or the firmware is unknown, a file is missing or wrong, or two things fill the flash.
            PlanError: A fault is unknown or malformed.
        """
        from simulator.board.presets import preset
        from simulator.outset import changed

        board = preset(self.board)
        for plan in _plans(self.faults):
            board = changed(board, plan.board)
        if self.firmware:
            from simulator.chip.firmware import profile

            profile(self.firmware)
            if self.flash:
                raise ScenarioError("a flash file and a firmware both fill the flash", hint="give only one of them")
        if self.flash and not Path(self.flash).is_file():
            raise ScenarioError(f"no flash image at {self.flash}", hint="give a file, or leave --flash out for a blank flash")
        if self.efuse:
            _efuse_content(self.efuse)

    def build(self) -> World:
        """Return the world at the moment the power has just come on."""
        from simulator.board.board import Board
        from simulator.board.decoys import Decoy
        from simulator.board.presets import preset
        from simulator.chip.factory import installed
        from simulator.faults.bench import Bench
        from simulator.faults.plan import install
        from simulator.host.desk import host_for
        from simulator.host.misfortunes import misfortunes_of
        from simulator.host.port_faults import install_at_ports
        from simulator.host.virtual_host import alone
        from simulator.kernel import Kernel
        from simulator.outset import changed, furnish, oddities
        from simulator.record.events import Journal
        from simulator.rng import Rng

        self.check()
        plans = _plans(self.faults)
        kernel, rng, journal = Kernel(), Rng(self.seed), Journal(keep=self.keep_events)
        kinds = [plan.device for plan in plans if plan.device]
        device: AdapterDevice
        if kinds:
            device = Decoy(kinds[0], kernel=kernel, rng=rng, sink=journal)
        else:
            board = preset(self.board)
            for plan in plans:
                board = changed(board, plan.board)
            device = Board(
                board,
                kernel=kernel,
                rng=rng,
                sink=journal,
                download=self.download or any(plan.start.download for plan in plans),
                flash=_flash_content(self.flash),
            )
            if self.efuse:
                device.soc.efuse.load(_efuse_content(self.efuse))
            for offset, data in installed(self.firmware, device.soc.efuse) if self.firmware else ():
                device.soc.flash.load(offset, data)
            furnish(device, [plan.start for plan in plans])
        described = [plan.host for plan in plans if plan.host is not None]
        host = host_for(described[-1], device, rng, journal) if described else alone(device)
        bench = Bench(
            kernel=kernel,
            adapter=device.adapter,
            board=device if isinstance(device, Board) else None,
            host=misfortunes_of(host, device, rng.stream("host")),
            report=lambda text: device.observe("fault", text.encode()),
        )
        planned: list[PlannedFault] = []
        for number, plan in enumerate(plans):
            # The same fault twice is two faults, each with dice of its own.
            again = sum(other.name == plan.name for other in plans[:number])
            prefix = f"{plan.name}#{again + 1}" if again else plan.name
            always = install(bench, oddities(plan.board), rng, prefix=f"{prefix}.board")
            active = install(bench, plan.faults, rng, prefix=prefix)
            if described and plan.host is described[-1]:
                active += install_at_ports(host, rng, bench.report, prefix=prefix)
            # What stands in place of the board is there whether or not somebody looks.
            met = (lambda: bool(kinds) or host.looks > 0 or device.adapter.opens > 0) if plan.is_state else None
            planned.append(PlannedFault(plan.name, active, always, any_one=plan.any_one, touched=met))
        return World(device, journal, planned, host)


@dataclass(frozen=True, slots=True)
class _Plan:
    name: str
    faults: list[Fault]
    board: BoardSetup
    start: StartSetup
    device: str = ""
    any_one: bool = False
    is_state: bool = False
    host: HostSetup | None = None


@dataclass(slots=True)
class PlannedFault:
    """A fault that was asked for, and whether it struck.

    Args:
        name: As asked for.
        active: Its parts at work.
        always: What is odd about the board, which need not strike.
        any_one: Whether it is enough that one of them strikes.
        touched: Where the fault is a state of things, which needs no striking: whether a flasher has met with it.
    """

    name: str
    active: list[ActiveFault]
    always: list[ActiveFault]
    any_one: bool
    touched: Callable[[], bool] | None

    def heal(self) -> None:
        """Take the fault out of the world, and leave the oddities of the board."""
        for item in self.active:
            item.heal()

    @property
    def fired(self) -> int:
        """How often it struck, over all its parts."""
        met = self.touched is not None and self.touched()
        return int(met) + sum(item.fired for item in self.active)

    @property
    def exercised(self) -> bool:
        """Whether it struck as it was meant to."""
        if self.touched is not None:
            return self.touched()
        struck = [item.fired > 0 for item in self.active]
        return any(struck) if self.any_one else all(struck)


@dataclass(slots=True)
class World:
    """A run while it runs.

    Args:
        device: What is at the other end of the cable.
        journal: Its events.
        planned: The faults that were asked for.
        host: The computer that the flasher runs on: its ports, and the USB devices that it sees.
    """

    device: AdapterDevice
    journal: Journal
    planned: list[PlannedFault]
    host: VirtualHost

    @property
    def port(self) -> str:
        """Name of the port that leads to the device, as the system first called it; empty if it has none."""
        return self.host.named

    @property
    def board(self) -> Board | None:
        """The board, or ``None`` where the port leads to something else."""
        from simulator.board.board import Board

        return self.device if isinstance(self.device, Board) else None

    def flash_image(self) -> bytes:
        """Return the whole flash content; empty where there is no board."""
        board = self.board
        return board.soc.flash.image() if board is not None else b""

    def efuse_image(self) -> bytes:
        """Return the chip's eFuses, to be given to another scenario as a file; empty where there is no board."""
        board = self.board
        return board.soc.efuse.to_bytes() if board is not None else b""


def _plans(names: tuple[str, ...]) -> list[_Plan]:
    from simulator.faults import presets
    from simulator.faults.presets.schema import BoardSetup, StartSetup
    from simulator.faults.text import parse

    result = []
    for name in names:
        if ":" in name:
            result.append(_Plan(name, [parse(name)], BoardSetup(), StartSetup()))
        else:
            row = presets.preset(name)
            is_state = row.state or bool(row.device)
            result.append(_Plan(name, row.plan(), row.board, row.start, row.device, row.any, is_state, row.host))
    return result


def _flash_content(path: str) -> bytes:
    if not path:
        return b""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ScenarioError(f"cannot read the flash image {path}: {error.strerror}") from error


def _efuse_content(path: str) -> bytes:
    from simulator.chip.efuse import SIZE

    try:
        with Path(path).open("rb") as file:
            content = file.read(SIZE + 1)  # one that never ends, as a device, is wrong too
    except OSError as error:
        raise ScenarioError(
            f"cannot read the eFuses {path}: {error.strerror}", hint="--save-efuse makes such a file, and so does espefuse dump"
        ) from error
    if len(content) != SIZE:
        size = f"{len(content)}" if len(content) < SIZE else f"more than {SIZE}"
        raise ScenarioError(
            f"{path} holds {size} bytes, and the eFuses of an ESP32 are {SIZE}",
            hint="--save-efuse makes such a file, and so does: espefuse dump --format joint --file-name FILE",
        )
    return content
