"""A board over TCP with a second port that presses its buttons: a test bench for what needs a fresh chip without modem lines.

    python -m tests.links.tcp_board BOARD

Prints the URL of the board and the number of the second port, and serves until its standard input ends. Whoever connects to
the second port finds the chip started anew into download mode when that connection is closed by us.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Sequence

from simulator.board.board import Board, HostEvent
from simulator.links import pump
from simulator.links.tcp import TcpLink
from simulator.scenario import Scenario


class ButtonLink(TcpLink):
    """The link, and the socket that stands for a hand on the buttons."""

    def __init__(self, board: Board) -> None:
        super().__init__()
        self._board = board
        self.button = socket.create_server(("127.0.0.1", 0))
        self.button.setblocking(False)

    @property
    def other_descriptors(self) -> Sequence[int]:
        return (*super().other_descriptors, self.button.fileno())

    def poll(self, *, take_bytes: bool) -> list[HostEvent]:
        with contextlib.suppress(BlockingIOError):
            hand, _ = self.button.accept()
            self._board.power_off()
            self._board.power_on(download=True)
            hand.close()
        return super().poll(take_bytes=take_bytes)


def main() -> None:
    """Serve."""
    pump.load_all()
    board = Scenario(board=sys.argv[1], download=True).build().device
    assert isinstance(board, Board)
    with ButtonLink(board) as link, link.button:
        print(link.path, link.button.getsockname()[1], flush=True)
        pump.run([pump.Pump(board, link, pace=pump.Pace.MAX)], stop=sys.stdin.fileno())


if __name__ == "__main__":
    main()
