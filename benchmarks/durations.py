"""How long a virtual bench takes, in virtual seconds by the real esptool's own word, beside seconds from elsewhere.

    python benchmarks/durations.py [--json FILE]

Nothing here measures this machine: a virtual second is the same everywhere. Each row is one run of esptool 5 in virtual time.
Two figures stand beside it. The *wire* is the time that the bytes of the run need on the UART, which nothing can beat. The
*public* one comes from a document or a log that anybody can find; where there is none the column is empty, and none is made
up. The last column says why the two differ.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import workload  # noqa: E402 - needs the path set above
from simulator.record import jsonl  # noqa: E402

BEGINNINGS = tuple(bytes((0xC0, 0x00, opcode)) for opcode in (0x02, 0x10, 0xD0, 0xD2))
"""How requests start that begin what is timed: FLASH_BEGIN, FLASH_DEFL_BEGIN, ERASE_FLASH, READ_FLASH."""
BIN = Path(sys.executable).parent
RATES = (115_200, 460_800, 921_600)
AT = 0x10000

OLD = "3.3"
"""The release nearest to the one that made the public log (v3.0-dev)."""
CACHE = ROOT / ".cache" / "envs"

IDF = "ESP-IDF Programming Guide 4.x, Get Started, example output of `idf.py flash` with esptool v3.0-dev"
FORUM = "forum logs of read_flash at 115200, from memory and not looked up again"
ROW_20 = "fault catalogue row 20"
DATA_SHEET = "data sheet, typical to maximum"

_SECONDS = re.compile(r" in ([0-9.]+) seconds")
_SPEED = re.compile(r"(?:Wrote|Read) (\d+) bytes.* in [0-9.]+ seconds \((?:effective )?([0-9.]+) kbit/s\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One thing to do with esptool.

    Args:
        name: What it is.
        words: Options and command; files by name.
        board: Name of the preset.
        fill: Whether the flash is full of random bytes before.
        old: Whether the old esptool with its legacy stub does it.
        measured: ``esptool`` for the seconds that it prints, ``md5`` for the longest SPI_FLASH_MD5.
        public: Seconds from elsewhere: one, or the ends of a range; none where nothing is known.
        source: Where those come from.
        reason: Why the two differ.
    """

    name: str
    words: tuple[str, ...]
    board: str = "ttgo-lora32-v1"
    fill: bool = True
    old: bool = False
    measured: str = "esptool"
    public: tuple[float, ...] = ()
    source: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table; all figures in seconds.

    Args:
        name: What was done.
        virtual_s: By the real esptool on the virtual board.
        wire_s: What the bytes of the operation itself need on the UART.
        public: From elsewhere.
        source: Where that comes from.
        reason: Why they differ.
    """

    name: str
    virtual_s: float
    wire_s: float
    public: tuple[float, ...]
    source: str
    reason: str

    @property
    def deviation(self) -> str:
        """How far the virtual figure is from the public one."""
        if not self.public:
            return ""
        low, high = self.public[0], self.public[-1]
        if low <= self.virtual_s <= high:
            return "within" if high > low else "0 %"
        nearest = low if self.virtual_s < low else high
        return f"{(self.virtual_s / nearest - 1) * 100:+.0f} %"


def works() -> Iterator[Work]:
    """Yield all rows to be measured."""
    for board, flash, ends in (
        ("ttgo-lora32-v1", "W25Q32JV, 4 MB", (10.0, 50.0)),
        ("esp32-pico-d4", "GD25Q32C, 4 MB", (15.0, 50.0)),
        ("heltec-wifi-lora-32-v2", "W25Q64, 8 MB", (20.0, 100.0)),
        ("ttgo-t-display-16mb", "W25Q128JV, 16 MB", (40.0, 200.0)),
    ):
        yield Work(
            name=f"erase {flash}",
            words=("erase-flash",),
            board=board,
            public=ends,
            source=f"{DATA_SHEET}; {ROW_20} saw 10 to 200",
            reason="the model takes the typical time",
        )
    yield Work(
        name="write 147104 bytes (77364 packed), 460800, stub",
        words=("--baud", "460800", "write_flash", "0x10000", "idf-app.bin"),
        old=True,
        public=(147_104 * 8 / 615_500,),
        source=IDF,
        reason="from its kbit/s",
    )
    yield Work(
        name="write 26096 bytes (15408 packed), 460800, stub",
        words=("--baud", "460800", "write_flash", "0x1000", "idf-loader.bin"),
        old=True,
        public=(26_096 * 8 / 546_700,),
        source=IDF,
        reason="there seven sectors took no time, as on parts that find them blank; the model takes the typical time",
    )
    for how, options in (("stub, compressed", ()), ("stub", ("--no-compress",)), ("ROM", ())):
        for rate in RATES:
            stub = () if how != "ROM" else ("--no-stub",)
            yield Work(
                name=f"write 1 MiB, {rate}, {how}",
                words=(*stub, "--baud", str(rate), "write-flash", *options, "0x10000", "mib.bin"),
            )
    for rate in RATES:
        known = rate == 115_200
        yield Work(
            name=f"read 1 MiB, {rate}, stub",
            words=("--baud", str(rate), "read-flash", "0x10000", "0x100000", "read.bin"),
            public=(94.0, 95.5) if known else (),
            source=f"{FORUM}: 4 MiB in 376 to 382" if known else "",
            reason="the reason is not known; the model adds nothing to the wire but framing" if known else "",
        )
    yield Work(
        name="MD5 of 4 MiB, stub",
        words=("verify-flash", "0x0", "all.bin"),
        measured="md5",
        public=(0.0, 34.0),
        source="esptool allows 8 s per MB (docs/sources.md, Time-outs)",
        reason="no log names it; the figure is read through one data line at 40 MHz, and hashed",
    )
    yield Work(
        name="MD5 of 4 MiB, ROM",
        words=("--no-stub", "verify-flash", "--flash-size", "4MB", "0x0", "all.bin"),
        measured="md5",
        public=(0.0, 34.0),
        source="as above",
        reason="as above",
    )


def packed_to(size: int, packed: int) -> bytes:
    """Return `size` bytes that zlib packs to `packed` bytes, as near as it can be had."""
    noise = random.Random(size).randbytes(size)
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        if len(zlib.compress(noise[:middle] + bytes(size - middle), 9)) < packed:
            low = middle + 1
        else:
            high = middle
    return noise[:low] + bytes(size - low)


def make_files(folder: Path) -> None:
    """Write the files that the rows name."""
    full = random.Random("flash").randbytes(4 << 20)
    (folder / "mib.bin").write_bytes(workload.half_random_image())
    (folder / "idf-app.bin").write_bytes(packed_to(147_104, 77_364))
    (folder / "idf-loader.bin").write_bytes(packed_to(26_096, 15_408))
    (folder / "all.bin").write_bytes(full)
    (folder / "empty.bin").write_bytes(b"")


def measure(work: Work, folder: Path) -> Row:
    """Carry out one row.

    Raises:
        RuntimeError: esptool did not succeed.
    """
    flash = "all.bin" if work.fill else "empty.bin"
    espsim = [str(BIN / "espsim"), "run", "--board", work.board, "--flash", flash, "--transcript", "events.jsonl", "--"]
    command = [*espsim, *_esptool(old=work.old), "--port", "{port}", *work.words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{work.name}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    bits, longest = _on_the_wire(folder / "events.jsonl")
    if work.measured == "md5":
        seconds = longest
    else:
        found = _SPEED.search(done.stdout)
        # The speed has more digits than the seconds.
        seconds = int(found[1]) * 8 / float(found[2]) / 1000 if found else float(_SECONDS.findall(done.stdout)[-1])
    return Row(
        name=work.name,
        virtual_s=seconds,
        wire_s=bits,
        public=work.public,
        source=work.source,
        reason=work.reason,
    )


def _esptool(*, old: bool) -> list[str]:
    if not old:
        return [str(BIN / "esptool")]
    from simulator.flashers.environments import environment

    return [str(environment(OLD, CACHE)), "-m", "esptool"]


def _on_the_wire(path: Path) -> tuple[float, float]:
    """Return the seconds that the busier direction needs from the first BEGIN, READ or ERASE on, and the longest wait for the
    answer to an MD5 command."""
    rate = 115_200
    begun = False
    seconds = {"h2d": 0.0, "d2h": 0.0}
    asked_ns, longest = 0, 0.0
    for event in jsonl.read(path):
        if event.kind == "baud":
            rate = int(event.content)
        elif event.kind in seconds:
            begun = begun or (event.kind == "h2d" and event.content[:3] in BEGINNINGS)
            seconds[event.kind] += len(event.content) * 10 / rate * begun
            if event.content[:3] == b"\xc0\x00\x13":
                asked_ns = event.at_ns
            elif asked_ns and event.kind == "d2h" and event.content[:1] == b"\xc0":
                # The legacy stub answers in two pieces, so the wait ends with the last byte of the answer.
                longest = max(longest, (event.at_ns - asked_ns) / 1e9)
                asked_ns = 0
    return max(seconds.values()), longest


def lines(rows: list[Row]) -> list[str]:
    """Return the table as text."""
    head = f"{'':46} {'virtual':>9} {'wire':>8} {'public':>12} {'deviation':>10}"
    result = [head, "-" * len(head)]
    notes: list[str] = []
    for row in rows:
        public = " to ".join(f"{value:.4g}" for value in row.public)
        mark = ""
        if row.source:
            note = f"{row.source}; {row.reason}" if row.reason else row.source
            if note not in notes:
                notes.append(note)
            mark = f" [{notes.index(note) + 1}]"
        result.append(f"{row.name:46} {row.virtual_s:9.2f} {row.wire_s:8.2f} {public:>12} {row.deviation:>10}{mark}")
    return [*result, "", *(f"[{number}] {note}" for number, note in enumerate(notes, 1))]


def main() -> int:
    """Measure, print, and write the file if one was asked for."""
    parser = argparse.ArgumentParser(description="Virtual durations of the real esptool, beside public figures.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there as well")
    options = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="durations-") as name:
        folder = Path(name)
        make_files(folder)
        for work in works():
            print(f"{work.name} ...", file=sys.stderr)
            rows.append(measure(work, folder))
    print(*lines(rows), sep="\n")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
