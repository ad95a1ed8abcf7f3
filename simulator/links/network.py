"""The ways in over the network, by name: what to open for ``--link tcp``, ``rfc2217`` or ``websocket``.

All of them listen on this machine only unless told otherwise. None but the WebSocket has any secret: whoever reaches the port
has the board.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Protocol

from simulator.board.board import Device
from simulator.links import pump
from simulator.links.line_modes import LineMode
from simulator.links.seat import Address, cannot_listen


@unique
class Network(StrEnum):
    """A way in."""

    TCP = "tcp"
    """Bytes, and nothing else."""
    RFC2217 = "rfc2217"
    """Baud rate and modem lines too."""
    WEBSOCKET = "websocket"
    """For web pages and Node."""

    @property
    def has_lines(self) -> bool:
        """Whether clients can reset the board."""
        return self is not Network.TCP


class NetworkLink(pump.Link, Protocol):
    """A client's side that is open to the network."""

    @property
    def path(self) -> str:
        """What a client on this machine opens."""
        ...

    def close(self) -> None:
        """Remove the port."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What to open.

    Args:
        network: Which kind.
        address: Where to listen.
        lines: What becomes of line changes at `Network.RFC2217`.
        origins: Whose pages are let in at `Network.WEBSOCKET`, besides this machine's.
    """

    network: Network
    address: Address = field(default_factory=Address)
    lines: LineMode = LineMode.REPLAY
    origins: Sequence[str] = ()

    def open(self, device: Device) -> NetworkLink:
        """Return the way to `device`, open.

        Raises:
            FlashcoreError: It is not possible to listen there, or a library is missing.
        """
        match self.network:
            case Network.TCP:
                from simulator.links.tcp import TcpLink

                return TcpLink(self.address)
            case Network.RFC2217:
                from simulator.links.rfc2217 import Rfc2217Link

                return Rfc2217Link(device, self.address, lines=self.lines)
            case Network.WEBSOCKET:
                from simulator.links.websocket import WebSocketLink

                host, port = self.address.host, self.address.port
                try:
                    return WebSocketLink(device.adapter.spec, host=host, port=port, origins=self.origins)
                except OSError as error:
                    raise cannot_listen(self.address, error) from error
