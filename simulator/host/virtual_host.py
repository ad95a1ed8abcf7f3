"""A simulated computer: `flashcore.host.Host` on the world's clock.

Devices are plugged in and removed, ports appear and vanish, and all of it happens at moments of the one kernel that the devices
behind the ports live on. Which programs meddle with ports is only told, as a list of processes would; what they do is done by
faults. While nothing happens to ports this adds no event to a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from flashcore.host import PortInfo, UsbDevice
from flashcore.port import LineSupport
from simulator.board.board import AdapterDevice, Board, Device
from simulator.board.bridge import Driver
from simulator.clock import VirtualClock
from simulator.host.handle import Handle
from simulator.host.refusals import error
from simulator.host.system import Os, Refusal
from simulator.host.unit import Identity, PortNode, Unit
from simulator.kernel import S
from simulator.links.virtual import VirtualPort

SHY_NS = 2 * S
"""How long a device that leaves at DTR stays away."""


class VirtualHost:
    """One computer.

    Args:
        device: The device that the world is about; its `advance` lets time pass for all.
        os: The system.
        running: Names of programs in its list of processes.
        group: Group that owns the ports.
    """

    def __init__(self, device: Device, *, os: Os = Os.LINUX, running: Sequence[str] = (), group: str = "dialout") -> None:
        self.os = os
        self.units: list[Unit] = []
        self.running = list(running)
        self.group = group
        self.line_support = LineSupport.SEQUENTIAL if os is Os.WINDOWS else LineSupport.ATOMIC
        """What its drivers can do with DTR and RTS."""
        self.looks = 0
        """How often somebody looked at the ports or opened one."""
        self.on_look: list[Callable[[], None]] = []
        """Called each time that somebody does."""
        self.on_change: list[Callable[[], None]] = []
        """Called each time that a device or a port has come or gone."""
        self.clock = VirtualClock(lambda to_ns: device.advance(to_ns), lambda: device.kernel.now)
        self.described = False
        """Whether a preset described it; else it is one device on one port."""
        self.named = ""
        """The first name of the device's first port: what a user writes down."""
        self._device = device
        self._names: set[str] = set()

    # --- what programs see ------------------------------------------------------------------------------------------

    def ports(self) -> list[PortInfo]:
        """Return the serial ports that there are now, in the system's order."""
        return [
            PortInfo(
                device=node.name,
                vid=unit.identity.vid if unit.identity.is_usb else None,
                pid=unit.identity.pid if unit.identity.is_usb else None,
                serial_number=unit.identity.serial,
                description=unit.identity.product,
                location=unit.identity.location,
            )
            for unit, node in self.look()
        ]

    def usb_devices(self) -> list[UsbDevice]:
        """Return the USB devices that there are now."""
        self._look_at()
        return [
            UsbDevice(
                vid=unit.identity.vid,
                pid=unit.identity.pid,
                serial_number=unit.identity.serial,
                product=unit.identity.product,
                location=unit.identity.location,
                ports=tuple(node.name for node in unit.nodes if node.listed),
            )
            for unit in self.units
            if unit.present and unit.identity.is_usb
        ]

    def open(self, name: str, baudrate: int = 115200) -> VirtualPort:
        """Open a port for nobody but the caller.

        Raises:
            PortError: It does not open; the class says why.
        """
        return VirtualPort(self.attach(name), name=name, baudrate=baudrate, line_support=self.line_support)

    def look(self) -> list[tuple[Unit, PortNode]]:
        """Return the ports that there are now with their devices, in the system's order."""
        self._look_at()
        return self.shown()

    def shown(self) -> list[tuple[Unit, PortNode]]:
        """Return the same to somebody who is no program on this computer."""
        found = [(unit, node) for unit in self.units if unit.present for node in unit.nodes if node.listed]
        return sorted(found, key=lambda pair: pair[1].name)

    def holder(self, name: str) -> str:
        """Return the program that has the port open, empty if nobody has."""
        node = self.node(name)
        if node is None:
            return ""
        held = next((gate.holder for gate in node.gates if gate.holder), "")
        return held or ("this program itself" if node.unit.opened else "")

    def permission_hint(self, name: str) -> str:
        """Return what the user must do to be allowed to open the port."""
        if self.os is Os.WINDOWS:
            return ""
        return f"sudo usermod -aG {self.group} $USER" if self.os is Os.LINUX else "sudo chmod a+rw " + name

    def meddlers(self) -> list[str]:
        """Return the names of running programs known to take ports away."""
        return list(self.running)

    def knows(self, name: str) -> bool:
        """Tell whether a port of this host has, or has ever had, that name."""
        return name in self._names

    def attach(self, name: str, *, exclusive: bool = True) -> Handle:
        """Return the open port `name` as a device.

        Args:
            name: The port.
            exclusive: Whether nobody else may open it; on Windows nobody ever may.

        Raises:
            PortError: It does not open; the class says why.
        """
        self._look_at()
        node = self._require(name)
        node.opens += 1
        if node.open_ns:
            self.clock.sleep_until(self.clock.now_ns() + node.open_ns)
            self._require(name)
        refusal = node.refuses_opening()
        if refusal is not None:
            raise error(refusal, name, self.os)
        others = node.unit.opened
        if others and (exclusive or self.os is Os.WINDOWS or any(other.exclusive for other in others)):
            raise error(Refusal.LOCKED, name, self.os)
        shied = partial(self.remove, node.unit, back_ns=SHY_NS)
        handle = Handle(node, self.os, exclusive=exclusive, advance=self._device_advance, shied=shied)
        node.opened.append(handle)
        unit = node.unit
        if unit.last_opened not in (None, node):
            for call in unit.on_other_port:
                call()
        unit.last_opened = node
        return handle

    def node(self, name: str) -> PortNode | None:
        """Return the port of that name, if it is there now."""
        there = (node for unit in self.units if unit.present for node in unit.nodes)
        return next((node for node in there if node.name == name and not node.hidden), None)

    @property
    def still_open(self) -> list[str]:
        """Names of the ports that somebody has open."""
        return [node.name for unit in self.units for node in unit.nodes if node.opened]

    def close_all(self) -> None:
        """Close what a program has left open, as the system does when it ends: the lines go as the driver puts them."""
        for unit in self.units:
            for node in unit.nodes:
                for port in list(node.opened):
                    port.abandon()

    def put_right(self) -> None:
        """Plug the device in, with power and a port that opens, whatever has happened to it."""
        for unit in self.units:
            if unit.device is self._device:
                for node in unit.nodes:
                    node.hidden = False
                    node.gates.clear()
                self.bring(unit)

    # --- what happens to devices ------------------------------------------------------------------------------------

    def add(self, unit: Unit) -> Unit:
        """Put a device on the desk; it is plugged in if it says so."""
        self.units.append(unit)
        if unit.device is self._device and unit.nodes:
            self.named = unit.nodes[0].name
        self._names.update(node.name for node in unit.nodes)
        return unit

    def remove(
        self,
        unit: Unit,
        *,
        back_ns: int | None = None,
        names: Sequence[str] = (),
        identity: Identity | None = None,
        powered: bool = True,
    ) -> None:
        """Let a device go from the USB.

        Args:
            unit: Which.
            back_ns: After how long it returns; ``None`` if it does not.
            names: What its ports are called then; by default as before.
            identity: Who it says it is then; by default as before.
            powered: Whether a board keeps its supply meanwhile.
        """
        if not unit.present:
            return
        unit.present = False
        _note(unit, "removed")
        for port in unit.opened:
            port.lose()
        unit.device.adapter.unplug()
        if not powered and isinstance(unit.device, Board):
            unit.device.power_off()
        self._changed()
        if back_ns is not None:
            self._device.kernel.after(back_ns, lambda: self.bring(unit, names=names, identity=identity))

    def bring(self, unit: Unit, *, names: Sequence[str] = (), identity: Identity | None = None) -> None:
        """Let a device come to the USB; its ports may have new names.

        Args:
            unit: Which.
            names: What its ports are called from now on; by default as before.
            identity: Who it says it is from now on; by default as before.
        """
        if unit.present:
            return
        if identity is not None:
            unit.identity = identity
        for node, name in zip(unit.nodes, names, strict=False):
            node.name = name
        self._names.update(node.name for node in unit.nodes)
        unit.present = True
        shown = ", ".join(node.name for node in unit.nodes) or "no port"
        _note(unit, f"came: {shown}")
        if isinstance(unit.device, Board) and not unit.device.powered:
            unit.device.power_on()
        for call in unit.on_arrival:
            call()
        self._changed()

    def hide(self, node: PortNode) -> None:
        """Take a port from the system while its device stays; who has it open loses it."""
        node.hidden = True
        _note(node.unit, f"lost its port {node.name}")
        for port in node.opened:
            port.lose()
        node.unit.device.adapter.unplug()
        self._changed()

    def _changed(self) -> None:
        for call in self.on_change:
            call()

    def _look_at(self) -> None:
        self.looks += 1
        for call in self.on_look:
            call()

    def _device_advance(self, to_ns: int) -> None:
        # Looked up at each call: whoever watches a run puts bounds in its place.
        self._device.advance(to_ns)

    def _require(self, name: str) -> PortNode:
        node = self.node(name)
        if node is None:
            raise error(Refusal.MISSING, name, self.os)
        return node


def _note(unit: Unit, what: str) -> None:
    if isinstance(unit.device, AdapterDevice):
        unit.device.observe("usb", f"{unit.identity.location} {unit.identity.usb_id} {what}".encode())


def identity_of(device: Device, location: str = "1-1") -> Identity:
    """Return who a device's adapter says it is."""
    spec = device.adapter.spec
    return Identity(
        vid=spec.vid,
        pid=spec.pid,
        is_usb=spec.vid != 0,
        serial=spec.serial,
        manufacturer=spec.manufacturer,
        product=spec.product,
        location=location if spec.vid else "",
    )


def alone(device: Device, *, name: str = "", os: Os = Os.LINUX) -> VirtualHost:
    """Return a host with one device on one port.

    Args:
        device: The device.
        name: The port's name; by default what Linux calls it.
        os: The system.
    """
    host = VirtualHost(device, os=os)
    unit = Unit(device, identity_of(device))
    unit.nodes.append(PortNode(name or device.adapter.spec.port_name(Driver.LINUX) or "", unit))
    host.add(unit)
    return host
