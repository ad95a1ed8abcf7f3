"""Foreign talk on a stream: somebody who sends lines of text, whatever else happens there.

Each line counts as a strike; ``times`` says how often the talk begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.faults.actions_flow import SOURCES, Chatter
from simulator.faults.active import ActiveFault
from simulator.faults.bench import Bench
from simulator.faults.choose import watch
from simulator.faults.model import Fault, Where
from simulator.kernel import S
from simulator.wire import Chunk, byte_time

if TYPE_CHECKING:
    from simulator.rng import Dice


class TalkFault(ActiveFault):
    """Foreign talk at work.

    Args:
        fault: What it is.
        action: Its action.
        bench: What it is at work on.
        dice: Its own randomness.
    """

    def __init__(self, fault: Fault, action: Chatter, bench: Bench, dice: Dice) -> None:
        super().__init__(fault, bench)
        self._action = action
        self._bench = bench
        self._text = action.data or SOURCES[action.source]
        self._until_ns = 0
        self._talking = False
        self._begun = 0
        watch(fault.where, fault.when, bench, dice, self._begin)

    def _begin(self) -> None:
        if self.fault.times and self._begun >= self.fault.times:
            return
        self._begun += 1
        self._until_ns = self._bench.kernel.now + round(self._action.seconds * S)
        if not self._talking:
            self._talking = True
            self._say()

    def _say(self) -> None:
        kernel, adapter = self._bench.kernel, self._bench.adapter
        if self.over or (self._action.seconds and kernel.now >= self._until_ns):
            self._talking = False
            return
        board = self._bench.board
        own = board.baudrate if board is not None else adapter.baudrate
        match self.fault.where:
            case Where.CHIP_TO_BRIDGE:
                adapter.from_chip(self._line(self._action.baud or own))
            case Where.BRIDGE_TO_HOST:
                adapter.to_host(self._line(self._action.baud or adapter.baudrate))
            case _:
                adapter.to_chip(self._line(self._action.baud or adapter.baudrate))
        if adapter.is_open:
            self.struck(f"said {len(self._text)} bytes")
        kernel.after(round(self._action.period * S), self._say)

    def _line(self, baud: int) -> Chunk:
        return Chunk(self._text, self._bench.kernel.now, byte_time(baud), baud)
