"""What a plan of faults is put to work on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.board.adapter import SerialAdapter
    from simulator.board.board import Board
    from simulator.faults.actions_host import HostSide
    from simulator.kernel import Kernel


def _ignore(_text: str) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One device with all that faults can get at.

    Args:
        kernel: Its time.
        adapter: Between host and chip.
        board: The board; ``None`` where the port leads to something else.
        host: The host view; ``None`` where one port leads straight to the device.
        report: Called with a text each time a fault strikes.
    """

    kernel: Kernel
    adapter: SerialAdapter
    board: Board | None = None
    host: HostSide | None = None
    report: Callable[[str], None] = _ignore
