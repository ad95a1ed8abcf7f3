"""One fault at work: how often it has struck, and whether it still may."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from simulator.faults import heals
from simulator.faults.bench import Bench
from simulator.faults.model import Fault
from simulator.faults.text import format as text_of


class ActiveFault:
    """One fault at work.

    Args:
        fault: What it is.
        bench: What it is at work on.
    """

    def __init__(self, fault: Fault, bench: Bench) -> None:
        self.fault = fault
        self.name = fault.name or text_of(fault)
        self.fired = 0
        """How often it has struck."""
        self._report = bench.report
        self._over = False
        self._undo: list[Callable[[], None]] = []
        self._limit = fault.times
        match fault.heals:
            case heals.AfterHits(n):
                self._limit = min(n, self._limit or n)
            case heals.Reopen():
                bench.adapter.on_open.append(self._happened)
            case heals.Reset() if bench.board is not None:
                bench.board.soc.on_start.append(self._happened)
            case heals.Replug() if bench.host is not None:
                bench.host.on_replug(self._happened)
            case heals.OtherPort() if bench.host is not None:
                bench.host.on_other_port(self._happened)
            case heals.Never() | heals.LowerBaud() | heals.Shorter() | heals.Reset() | heals.Replug() | heals.OtherPort():
                pass
            case _:
                assert_never(fault.heals)

    @property
    def over(self) -> bool:
        """Whether the fault was healed."""
        return self._over

    @property
    def holds(self) -> bool:
        """Whether it may strike now."""
        return not self._over and not (self._limit and self.fired >= self._limit)

    def may(self) -> bool:
        """As `holds`, for those that want to be able to ask again."""
        return self.holds

    def spares(self, baud: int, size: int) -> bool:
        """Return whether a run of `size` bytes sent at `baud` is exempt by the rule that heals the fault."""
        match self.fault.heals:
            case heals.LowerBaud(rate):
                return baud <= rate
            case heals.Shorter(n):
                return size <= n
            case _:
                return False

    def struck(self, what: str) -> None:
        """Count that it has had an effect.

        Args:
            what: On what, for the record.
        """
        self.fired += 1
        self._report(f"{self.name} struck {what}")

    def strike(self, deed: Callable[[], None]) -> None:
        """Do `deed` and count it, if the fault may strike now."""
        if self.holds:
            self.struck("the board")
            deed()

    def on_heal(self, undo: Callable[[], None]) -> None:
        """Have `undo` called when the fault is healed."""
        self._undo.append(undo)

    def heal(self) -> None:
        """End the fault for good."""
        if not self._over:
            self._over = True
            for undo in self._undo:
                undo()

    def _happened(self) -> None:
        """The event that heals it: one that came before the fault had struck does not count."""
        if self.fired and not self._over:
            self._report(f"{self.name} healed")
            self.heal()
