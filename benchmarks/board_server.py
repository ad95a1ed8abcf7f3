"""Many boards in one process, for benchmarks: ports on standard output, digests at the end.

    python -m benchmarks.board_server LINK COUNT

Serves like ``espsim serve --pace max`` until its standard input ends, then prints one JSON object: for each port the MD5 of the
whole flash array, so that what a client wrote can be judged by the array itself.
"""

from __future__ import annotations

import hashlib
import json
import sys
from contextlib import ExitStack, closing

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
        for number in range(count):
            world = Scenario(board=BOARD, seed=number, download=True).build()
            link: PtyLink | NetworkLink
            link = PtyLink() if kind == "pty" else Way(network=Network(kind)).open(world.device)
            stack.enter_context(closing(link))
            worlds[link.path] = world
            pumps.append(pump.Pump(world.device, link, pace=pump.Pace.MAX))
            print(link.path, flush=True)
        pump.run(pumps, stop=sys.stdin.fileno())
        digests = {path: hashlib.md5(world.flash_image()).hexdigest() for path, world in worlds.items()}
    print(json.dumps(digests), flush=True)


if __name__ == "__main__":
    main()
