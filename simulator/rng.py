"""Dice that do not influence each other.

One seed per run; every fault and every component draws from a stream of its own, named by it, so that adding a fault does not
change the dice of the others. Streams are the standard library's generator seeded with a hash of seed and name, which makes
them the same on every platform and Python version for the draws used here.
"""

from __future__ import annotations

import hashlib
from random import Random


class Dice:
    """One stream of random numbers."""

    __slots__ = ("_random",)

    def __init__(self, seed: int, name: str) -> None:
        digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
        self._random = Random(int.from_bytes(digest, "big"))

    def chance(self, probability: float) -> bool:
        """Return true with `probability`."""
        return self._random.random() < probability

    def below(self, limit: int) -> int:
        """Return an integer from 0 to `limit` - 1."""
        return int(self._random.random() * limit)

    def between(self, low: int, high: int) -> int:
        """Return an integer from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def bytes(self, count: int) -> bytes:
        """Return `count` random bytes."""
        return self._random.randbytes(count)


class Rng:
    """The seed of a run, from which named streams are made.

    Args:
        seed: Any integer.
        prefix: What the names of its streams begin with.
    """

    __slots__ = ("_prefix", "_streams", "seed")

    def __init__(self, seed: int = 0, prefix: str = "") -> None:
        self.seed = seed
        self._prefix = prefix
        self._streams: dict[str, Dice] = {}

    def stream(self, name: str) -> Dice:
        """Return the stream called `name`, the same one each time."""
        if name not in self._streams:
            self._streams[name] = Dice(self.seed, self._prefix + name)
        return self._streams[name]

    def branch(self, name: str) -> Rng:
        """Return dice for another thing of the same kind, which has streams of its own under the same names."""
        return Rng(self.seed, f"{self._prefix}{name}/")
