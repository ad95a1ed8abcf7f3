"""The public checks of a port: they pass our own, and each finds the port that breaks its rule."""

from __future__ import annotations

from functools import partial

import pytest

from flashcore.errors import PortLostError
from flashcore.port import LineSupport
from simulator.clock import VirtualClock
from simulator.links.virtual import VirtualPort
from simulator.testing import check_port
from simulator.testing.port_checks import CHECKS
from tests.model.port_bench import virtual_bench


@pytest.mark.parametrize("bridge", ["CP2102", "CH9102F", "FT231X", "CH340C"])
@pytest.mark.parametrize("line_support", [LineSupport.ATOMIC, LineSupport.SEQUENTIAL])
def test_the_virtual_port_keeps_every_rule(bridge: str, line_support: LineSupport) -> None:
    made = check_port(partial(virtual_bench, bridge=bridge, line_support=line_support))
    assert made == tuple(name for name in CHECKS if name != "unplugged")


class Nameless(VirtualPort):
    @property  # type: ignore[override]
    def name(self) -> str:
        return ""

    @name.setter
    def name(self, value: str) -> None: ...


class WakesEarly(VirtualPort):
    @property  # type: ignore[override]
    def clock(self) -> VirtualClock:
        device = self.device
        return VirtualClock(lambda to_ns: device.advance(to_ns - 1_000_000), lambda: device.kernel.now)

    @clock.setter
    def clock(self, value: VirtualClock) -> None: ...


class RaisesInSilence(VirtualPort):
    def read(self, max_bytes: int, deadline_ns: int) -> bytes:
        data = super().read(max_bytes, deadline_ns)
        if not data:
            raise TimeoutError("nothing came")
        return data


class GivesUpEarly(VirtualPort):
    def read(self, max_bytes: int, deadline_ns: int) -> bytes:
        return super().read(max_bytes, min(deadline_ns, self.clock.now_ns() + 1_000_000))


class ForgetsPastDeadlines(VirtualPort):
    def read(self, max_bytes: int, deadline_ns: int) -> bytes:
        return super().read(max_bytes, deadline_ns) if deadline_ns >= self.clock.now_ns() else b""


class TakesXoffForItself(VirtualPort):
    def read(self, max_bytes: int, deadline_ns: int) -> bytes:
        return super().read(max_bytes, deadline_ns).replace(b"\x13", b"")


class ThrowsTheRestAway(VirtualPort):
    def read(self, max_bytes: int, deadline_ns: int) -> bytes:
        return super().read(65536, deadline_ns)[:max_bytes]


class ReturnsTooMuch(VirtualPort):
    def read(self, max_bytes: int, deadline_ns: int) -> bytes:
        return super().read(65536, deadline_ns)


class WaitsForAll(VirtualPort):
    def read(self, max_bytes: int, deadline_ns: int) -> bytes:
        return self.read_exactly(max_bytes, deadline_ns)


class TakesFfForTelnet(VirtualPort):
    def write(self, data: bytes, deadline_ns: int) -> None:
        super().write(data.replace(b"\xff", b"\xff\xff"), deadline_ns)


class CutsLongWrites(VirtualPort):
    def write(self, data: bytes, deadline_ns: int) -> None:
        super().write(data[:4096], deadline_ns)


class RefusesNothing(VirtualPort):
    def write(self, data: bytes, deadline_ns: int) -> None:
        if not data:
            raise ValueError("nothing to write")
        super().write(data, deadline_ns)


class KeepsItsInput(VirtualPort):
    def discard_input(self) -> None: ...


class KeepsItsRate(VirtualPort):
    def set_baudrate(self, baudrate: int) -> None: ...


class SwapsLines(VirtualPort):
    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        super().set_lines(dtr=rts, rts=dtr)


class TakesNoneForReleased(VirtualPort):
    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        super().set_lines(dtr=bool(dtr), rts=bool(rts))


class ClaimsToBeAtomic(VirtualPort):
    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        super().set_lines(dtr=dtr)
        super().set_lines(rts=rts)


class ClaimsToHaveNone(VirtualPort):
    @property  # type: ignore[override]
    def line_support(self) -> LineSupport:
        return LineSupport.NONE

    @line_support.setter
    def line_support(self, value: LineSupport) -> None: ...


class LeavesLinesAsserted(VirtualPort):
    def close(self, *, lines: tuple[bool, bool] | None = None) -> None:
        super().close(lines=lines)


class ClosesOnlyOnce(VirtualPort):
    def close(self, *, lines: tuple[bool, bool] | None = (False, False)) -> None:
        if not self._open:
            raise PortLostError("it is closed already")
        super().close(lines=lines)


class ReadsWhenClosed(VirtualPort):
    def read(self, max_bytes: int, deadline_ns: int) -> bytes:
        return super().read(max_bytes, deadline_ns) if self._open else b""


class BlocksForEver(VirtualPort):
    def write(self, data: bytes, deadline_ns: int) -> None:
        super().write(data, deadline_ns + 1_000_000_000_000)


@pytest.mark.parametrize(
    ("kind", "rule", "problem"),
    [
        (Nameless, "identity", "its name is ''"),
        (WakesEarly, "clock", "came back before the time was there"),
        (RaisesInSilence, "silence", "it raised TimeoutError: nothing came"),
        (GivesUpEarly, "silence", "before its deadline"),
        (ForgetsPastDeadlines, "past deadline", "does not return what is there"),
        (TakesXoffForItself, "every byte comes", "the one at 19 (0x13) arrived as 0x14"),
        (ThrowsTheRestAway, "limit", "must stay for the next read; b'0123456789' became b'0123'"),
        (ReturnsTooMuch, "limit", "read(4) returned 10 bytes"),
        (WaitsForAll, "first byte", "waits for max_bytes"),
        (TakesFfForTelnet, "every byte goes", "257 arrived"),
        (CutsLongWrites, "long write", "of a write of 16384 bytes 4096 arrived"),
        (RefusesNothing, "empty write", "ValueError: nothing to write"),
        (KeepsItsInput, "discard", "b'ld!'"),
        (KeepsItsRate, "baudrate", "baudrate is 115200"),
        (SwapsLines, "lines", "after set_lines(dtr=False, rts=None)"),
        (TakesNoneForReleased, "lines", "[(False, False)]"),
        (ClaimsToBeAtomic, "atomic lines", "the far end saw [(False, False)] in between"),
        (ClaimsToHaveNone, "lines", "raises no LinesUnsupportedError"),
        (LeavesLinesAsserted, "released lines", "[(True, True)]"),
        (ClosesOnlyOnce, "closed", "closing it twice raises PortLostError"),
        (ReadsWhenClosed, "closed", "read after close raises no PortLostError"),
        (BlocksForEver, "stuck write", "raises no DeadlineExceededError"),
    ],
)
def test_a_port_that_breaks_a_rule_is_found(kind: type[VirtualPort], rule: str, problem: str) -> None:
    with pytest.raises(AssertionError) as found:
        check_port(partial(virtual_bench, kind))
    assert str(found.value).startswith(f"{kind.__name__} breaks the rule {rule!r} of flashcore.port.Port: ")
    assert problem in str(found.value)


class SequentialInTheWrongOrder(VirtualPort):
    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        super().set_lines(rts=rts)
        super().set_lines(dtr=dtr)


def test_a_port_that_changes_rts_first_is_found() -> None:
    with pytest.raises(AssertionError, match=r"'atomic lines'.*the far end saw \[\(True, True\)\] in between"):
        check_port(partial(virtual_bench, SequentialInTheWrongOrder, line_support=LineSupport.SEQUENTIAL))
