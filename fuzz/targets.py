"""All targets by name, and which input is for which of them.

An input is a number: with the seed of the run it says which target it is for and all that happens, whoever plays it and
whatever was played before.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from fuzz.bounds import BrokenError
from fuzz.target import Outcome, Target


def _rom() -> Target:
    from fuzz.chip_targets import RomTarget

    return RomTarget()


def _silicon() -> Target:
    from fuzz.chip_targets import SiliconRomTarget

    return SiliconRomTarget()


def _stub(file: str, *, slow: bool = False) -> Callable[[], Target]:
    def make() -> Target:
        from fuzz.chip_targets import StubTarget

        return StubTarget(file, slow=slow)

    return make


def _rfc2217() -> Target:
    from fuzz.rfc2217_target import Rfc2217Target

    return Rfc2217Target()


def _websocket() -> Target:
    from fuzz.websocket_target import WebSocketTarget

    return WebSocketTarget()


TARGETS: Mapping[str, Callable[[], Target]] = {
    "rom": _rom,
    "rom-silicon": _silicon,
    "legacy-stub": _stub("stub_e3"),
    "legacy-stub-slow": _stub("stub_e5_1", slow=True),
    "modern-stub": _stub("stub_e5_2"),
    "modern-stub-slow": _stub("stub_e5_2", slow=True),
    "rfc2217": _rfc2217,
    "websocket": _websocket,
}
"""What makes each target. ``slow``: with flash that takes its time."""

_SHARES = {
    "rom": 5,
    "rom-silicon": 2,
    "legacy-stub": 3,
    "legacy-stub-slow": 1,
    "modern-stub": 3,
    "modern-stub-slow": 1,
    "rfc2217": 3,
    "websocket": 2,
}
MIX = tuple(name for name, share in _SHARES.items() for _ in range(share))
"""Targets of successive inputs."""

WEIGH_EVERY = 16
"""Of how many inputs of a target one has its buffers counted."""

TRACE_EVERY = 512
"""Of how many inputs one has all allocations traced, which makes it several times as slow."""

MAX_TRACED = 48 << 20
"""Bytes that playing one input may allocate at a time: the flash of 4 MiB as an image, escaped, and again as a stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one input.

    Args:
        target: Its name.
        outcome: What is told if nothing broke.
        traced: Most bytes allocated at a time, where traced, else 0.
    """

    target: str
    outcome: Outcome
    traced: int = 0


def target_of(index: int) -> str:
    """Return the target of input number `index`."""
    return MIX[index % len(MIX)]


class Player:
    """Plays inputs by number.

    Args:
        seed: Of the run.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made: dict[str, Target] = {}

    def play(self, index: int) -> Result:
        """Play an input.

        Raises:
            Exception: Whatever goes wrong. What the input said is in `story`, until `forget`.
        """
        name = target_of(index)
        target = self._made.get(name)
        if target is None:
            target = self._made[name] = TARGETS[name]()
        dice = Random(f"{self._seed}/{index}")
        round_number = index // len(MIX)
        if index % TRACE_EVERY:
            return Result(target=name, outcome=target.run(dice, weigh=not round_number % WEIGH_EVERY))
        tracemalloc.start()
        try:
            outcome = target.run(dice, weigh=True)
            traced = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        if traced > MAX_TRACED:
            raise BrokenError(f"an input takes at most {MAX_TRACED} bytes", f"{traced} bytes")
        return Result(target=name, outcome=outcome, traced=traced)

    def story(self, index: int) -> list[tuple[str, bytes]]:
        """Return what the input said that was played last on the target of `index`."""
        target = self._made.get(target_of(index))
        return [] if target is None else target.story

    def forget(self, index: int) -> None:
        """Make the target of `index` anew before its next input: a failure has left it in no known state."""
        self._made.pop(target_of(index), None)
