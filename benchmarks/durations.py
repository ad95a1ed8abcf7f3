"""How long a virtual bench takes, in virtual seconds by the real esptool's own word, beside seconds from elsewhere.

    python benchmarks/durations.py [--json FILE]

Nothing here measures this machine: a virtual second is the same everywhere. Each row is one run of esptool in virtual time: a
part of it, or the whole session where the other figure is of one too. Two figures stand beside it. The *wire* is the time that
the bytes of the operation need on the UART, which nothing can beat. The *public* one comes from a document, a recording or a
log; where there is none the column is empty, and none is made up. A note says where it comes from, and why the two differ.
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
ROW_21 = "fault catalogue row 21"
DATA_SHEET = "data sheet, typical to maximum"
RECORDED = "whole session as recorded with the emulator of the oracle, its flash instant and its line throttled to 115200 baud"
TRACED = "there Python's start, the printed trace and the emulator's own pace count; here computing takes no time"
START_UP = "there Python's start counts; here computing takes no time"
PAUSES = "there the sentences came without a pause, here once a second"
GIVING_UP = "docs/sources.md, Baselines: until esptool gives up a real port with no chip behind it"

_SECONDS = re.compile(r" in ([0-9.]+) seconds")
_VIRTUAL = re.compile(r"virtual ([0-9.]+) s")
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
        setting: Options of ``espsim run`` besides the board.
        status: Exit status that esptool has to end with.
        measured: ``esptool`` for the seconds that it prints, ``md5`` for the longest SPI_FLASH_MD5, ``session`` for all of it.
        public: Seconds from elsewhere: one, or the ends of a range; none where nothing is known.
        source: Where those come from.
        reason: Why the two differ.
    """

    name: str
    words: tuple[str, ...]
    board: str = "ttgo-lora32-v1"
    fill: bool = True
    old: bool = False
    setting: tuple[str, ...] = ()
    status: int = 0
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
    yield from pieces()
    yield from recorded_sessions()
    yield from giving_up()


def recorded_sessions() -> Iterator[Work]:
    """Yield sessions that were recorded with the real ROM and stubs, on the board that models the recording."""
    newer_stub = "the emulator's line was slower with this stub, 8.0 s with the older one in the same release; why is not known"
    reading = "esptool 5 spent the difference on its dump of each packet, which is computing"
    unthrottled = "the emulator did not throttle its transmitter"
    for name, old, words, public, reason in (
        ("flash id, stub", True, ("flash_id",), 0.8, TRACED),
        ("write 64 KiB of noise, stub", True, ("write_flash", "0x10000", "noise.bin"), 6.9, TRACED),
        ("write 64 KiB of text, stub", True, ("write_flash", "0x10000", "text.bin"), 1.1, TRACED),
        ("write 64 KiB of noise, ROM", True, ("--no-stub", "write_flash", "0x10000", "noise.bin"), 6.7, TRACED),
        ("read 64 KiB, stub", True, ("read_flash", "0x10000", "0x10000", "back.bin"), 1.8, unthrottled),
        ("read 2 KiB, ROM", True, ("--no-stub", "read_flash", "0x10000", "0x800", "back.bin"), 0.5, unthrottled),
        ("flash id, stub", False, ("flash-id",), 2.0, TRACED),
        ("write 64 KiB of noise, stub", False, ("write-flash", "0x10000", "noise.bin"), 14.1, newer_stub),
        ("write 64 KiB of noise, ROM", False, ("--no-stub", "write-flash", "0x10000", "noise.bin"), 7.8, TRACED),
        ("read 64 KiB, stub", False, ("read-flash", "0x10000", "0x10000", "back.bin"), 11.1, reading),
    ):
        reset = ("--before", "no_reset", "--after", "no_reset") if old else ("--before", "no-reset", "--after", "no-reset")
        yield Work(
            name=f"session: {name}, esptool {OLD if old else '5'}",
            words=("--chip", "esp32", *reset, *words),
            board="esp32-oracle",
            fill=False,
            old=old,
            setting=("--boot", "download"),
            measured="session",
            public=(public,),
            source=f"{RECORDED} (esptool 3.3.3)" if old else f"{RECORDED} (esptool 5.6.0)",
            reason=reason,
        )


def giving_up() -> Iterator[Work]:
    """Yield what esptool does at a port with no chip behind it."""
    for fault, what, seconds in (
        ("silent-line", "silence", (7.8, 8.0)),
        ("wrong-port-echo", "an echo", (7.85, 8.1)),
        ("wrong-port-gps", "a GPS", (4.6, 4.8)),
        ("wrong-port-modem", "a modem", (4.3, 4.7)),
    ):
        for old, public in ((True, seconds[0]), (False, seconds[1])):
            yield Work(
                name=f"give up {what}, esptool {OLD if old else '5'}",
                words=("--chip", "esp32", "chip_id" if old else "chip-id"),
                old=old,
                fill=False,
                setting=("--fault", fault),
                status=2,
                measured="session",
                public=(public,),
                source=GIVING_UP,
                reason=PAUSES if fault == "wrong-port-gps" else START_UP,
            )


def pieces() -> Iterator[Work]:
    """Yield operations on boards."""
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
    for size, name, seconds, thread in (
        ("0x300000", "3 MiB", 18.0, "igrr/esptool-ck#46"),
        ("0xAF000", "700 KiB", 5.0, "espressif/esp-serial-flasher#11"),
    ):
        yield Work(
            name=f"erase {name}, stub",
            words=("erase-region", "0x0", size),
            public=(seconds,),
            source=f"{ROW_20}: {thread}",
            reason="the part there is not named; data sheets allow ten times the typical time, which the model takes",
        )
    yield Work(
        name="write 3 MiB of zeros, packed to one block, stub",
        words=("write-flash", "0x10000", "zeros.bin"),
        public=(10.0, 60.0),
        source=f"{ROW_21}: until the block's erases and writes are done",
        reason="the sum of typical times of 48 blocks of 64 KiB and 12288 pages",
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
    (folder / "zeros.bin").write_bytes(bytes(3 << 20))
    (folder / "noise.bin").write_bytes(random.Random(42).randbytes(1 << 16))
    (folder / "text.bin").write_bytes((b"The ROM inflates zlib streams. " * 4000)[: 1 << 16])


def measure(work: Work, folder: Path) -> Row:
    """Carry out one row.

    Raises:
        RuntimeError: esptool did not end as it had to.
    """
    flash = "all.bin" if work.fill else "empty.bin"
    files = ["--flash", flash, "--transcript", "events.jsonl"]
    espsim = [str(BIN / "espsim"), "run", "--board", work.board, *work.setting, *files, "--stats", "--timeout", "100", "--"]
    command = [*espsim, *_esptool(old=work.old), "--port", "{port}", *work.words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != work.status:
        raise RuntimeError(f"{work.name}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    bits, longest = _on_the_wire(folder / "events.jsonl")
    if work.measured == "md5":
        seconds = longest
    elif work.measured == "session":
        seconds = float(_VIRTUAL.findall(done.stderr)[-1])
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
    head = f"{'':54} {'virtual':>9} {'wire':>8} {'public':>12} {'deviation':>10}"
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
        result.append(f"{row.name:54} {row.virtual_s:9.2f} {row.wire_s:8.2f} {public:>12} {row.deviation:>10}{mark}")
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
