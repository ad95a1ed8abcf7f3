"""Many boards in one process, for benchmarks: their ports and memory on standard output, digests at the end.

    python -m benchmarks.board_server LINK COUNT

Prints one JSON object once all boards are served: their ports, and what all but the first need while idle, counted within this
process so that two processes need not be compared. Serves like ``espsim serve --pace max`` until its standard input ends, then
prints another: for each port the MD5 of the whole flash array, so that what a client wrote can be judged by the array itself.
"""

from __future__ import annotations

import gc
import hashlib
import json
import sys
from contextlib import ExitStack, closing
from pathlib import Path

from simulator.links import pump
from simulator.links.network import Network, NetworkLink, Way
from simulator.links.pty import PtyLink
from simulator.scenario import Scenario, World

BOARD = "ttgo-lora32-v1"


def main() -> None:
    """Serve."""
    kind, count = sys.argv[1], int(sys.argv[2])
    pump.load_all()
    with ExitStack() as stack:
        worlds: dict[str, World] = {}
        pumps = []
        first_bytes = 0
        for number in range(count):
            world = Scenario(board=BOARD, seed=number, download=True).build()
            link: PtyLink | NetworkLink
            link = PtyLink() if kind == "pty" else Way(network=Network(kind)).open(world.device)
            stack.enter_context(closing(link))
            worlds[link.path] = world
            pumps.append(pump.Pump(world.device, link, pace=pump.Pace.MAX))
            first_bytes = first_bytes or memory_bytes()
        print(json.dumps({"ports": [*worlds], "idle_bytes": memory_bytes() - first_bytes}), flush=True)
        pump.run(pumps, stop=sys.stdin.fileno())
        digests = {path: hashlib.md5(world.flash_image()).hexdigest() for path, world in worlds.items()}
    print(json.dumps(digests), flush=True)


def memory_bytes() -> int:
    """Return the memory that this process has to itself, and its part of what it shares."""
    gc.collect()
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the system does not tell how much memory a process uses")


if __name__ == "__main__":
    main()
