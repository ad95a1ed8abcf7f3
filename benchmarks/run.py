"""Run the benchmarks, print their tables, and judge.

    python benchmarks/run.py [campaign] [codec] [kernel] [realtime] [session] [sessions] [startup] [--json FILE]

Without names all of them run. The exit code is 1 if a target is missed; the tests of the project never judge by time. The
environments of the esptool releases that serve as baselines are made on first use, which needs the network once.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.measure import Table, lines  # noqa: E402 - needs the path set above
from flashcore.errors import FlashcoreError  # noqa: E402

CACHE = ROOT / ".cache" / "envs"


def campaign() -> Table:
    """Measure cases of a campaign, and what a second process brings."""
    from benchmarks import campaign as benchmark

    return benchmark.measure(benchmark.Setup())


def codec() -> Table:
    """Measure the codec beside two esptool releases and sliplib."""
    from benchmarks import codec as benchmark

    return benchmark.measure(benchmark.Setup(pythons={name: _python(release) for name, release in benchmark.RELEASES.items()}))


def kernel() -> Table:
    """Measure the kernel beside other schedulers."""
    from benchmarks import kernel as benchmark

    return benchmark.measure(benchmark.Setup())


def realtime() -> Table:
    """Measure boards in real time."""
    from benchmarks import realtime as benchmark

    return benchmark.measure(benchmark.Setup(python=_python(benchmark.RELEASE)))


def session() -> Table:
    """Measure a big write into the virtual board."""
    from benchmarks import session as benchmark

    return benchmark.measure(benchmark.Setup())


def sessions() -> Table:
    """Measure many small sessions."""
    from benchmarks import sessions as benchmark

    return benchmark.measure(benchmark.Setup())


def startup() -> Table:
    """Measure the start of the command lines."""
    from benchmarks import startup as benchmark

    return benchmark.measure(benchmark.Setup(baseline=benchmark.esptool_command(_python(benchmark.RELEASE))))


BENCHMARKS: dict[str, Callable[[], Table]] = {
    "campaign": campaign,
    "codec": codec,
    "kernel": kernel,
    "realtime": realtime,
    "session": session,
    "sessions": sessions,
    "startup": startup,
}


def main() -> int:
    """Run what the command line asks for and return the exit code."""
    parser = argparse.ArgumentParser(description="Benchmarks, each figure beside a named baseline measured in the same run.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which to run: {', '.join(BENCHMARKS)}; all of them by default"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the tables there as well")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    tables: list[Table] = []
    for name in options.names or BENCHMARKS:
        try:
            table = BENCHMARKS[name]()
        except FlashcoreError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 2
        tables.append(table)
        print(*lines(table), "", sep="\n", flush=True)
    missed = [f"{table.name}: {row.figure} beside {row.baseline}" for table in tables for row in table.rows if not row.met]
    print(*([f"missed: {text}" for text in missed] or ["all targets are met"]), sep="\n")
    if options.json:
        found = {
            "python": platform.python_version(),
            "machine": platform.machine(),
            "tables": [table.as_json() for table in tables],
        }
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 1 if missed else 0


def _python(release: str) -> Path:
    from simulator.flashers.environments import environment

    def show(step: str) -> None:
        print(f"environment for esptool {release}: {step}", file=sys.stderr)

    return environment(release, CACHE, progress=show)


if __name__ == "__main__":
    sys.exit(main())
