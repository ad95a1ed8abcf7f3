"""A world's ports as pseudo-terminals: one for a board on its own, a folder of them for a whole computer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from simulator.board.board import Device
from simulator.flashers.host_files import HostFiles
from simulator.links.lines import LineServer
from simulator.links.port_folder import PortFolder
from simulator.links.pty import PtyLink
from simulator.links.pump import Link
from simulator.preload import environment
from simulator.preload.port_list import ListedPort
from simulator.scenario import World


@dataclass(frozen=True, slots=True, kw_only=True)
class PtyPorts:
    """What a client can be given.

    Args:
        path: What leads to the device.
        names: All ports, in the order of the devices.
        ports: Each port's device and link, for a pump.
        sockets: By the path of each pty the socket that answers for its lines.
        listed: What pyserial is to list, see `environment.for_list`.
        usb: The environment of a client that is to see the USB devices too.
    """

    path: str
    names: Sequence[str]
    ports: Sequence[tuple[Device, Link]]
    sockets: Mapping[str, str]
    listed: Sequence[ListedPort | str]
    usb: Mapping[str, str]


@contextmanager
def ptys(world: World, folder: Path, *, lines: bool) -> Iterator[PtyPorts]:
    """Offer the ports of `world` until the block ends.

    Args:
        world: The world.
        folder: An empty folder, for a computer that a preset describes: its ports get their names there.
        lines: Whether the ports have DTR and RTS.

    Raises:
        OSError: The system has no pseudo-terminal left.
        FlashcoreError: A socket for the modem lines cannot be made.
    """
    if world.host.described:
        with PortFolder(world.host, folder / "dev", lines=lines) as found:
            files = HostFiles(world.host, folder, found.path_of)
            found.on_change.append(files.write)
            yield PtyPorts(
                path=found.path_of(world.port),
                names=[found.path_of(node.name) for unit in world.host.units for node in unit.nodes],
                ports=found.ports,
                sockets=found.sockets,
                listed=[files.list_file],
                usb=files.usb(),
            )
        return
    spec = world.device.adapter.spec
    server = LineServer(spec) if lines else None
    with ExitStack() as stack:
        link = stack.enter_context(PtyLink(server))
        yield PtyPorts(
            path=link.path,
            names=[link.path],
            ports=[(world.device, link)],
            sockets={link.path: server.path} if server is not None else {},
            listed=[environment.listed(link.path, spec)],
            usb={},
        )
