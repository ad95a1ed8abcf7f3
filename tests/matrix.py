"""Every flasher on every link in every mode: what is run, and what flash content and exit code must come of it.

A case is one question, asked as a user would: ``espsim run --link LINK -- CLIENT ...`` on a board whose flash holds something
already. It is answered by the exit code and the *whole* flash array; an image is also read back by the client. What the array
must hold is calculated here, from the image and what is known of ROM and stub, not taken from the model. Cases that must not
end in plain success (a client that refuses, a ROM that writes more than it was given) carry the reason.
"""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from simulator.cli.run import LINKS as KNOWN_LINKS
from tests.peers import INSTALLED, MINIESPTOOL_RELEASE, QUICK, ROOT, Esptool, miniesptool

BOARD = "ttgo-lora32-v1"
FLASH_SIZE = 4 << 20
ADDRESS = 0x10000
BEFORE = Random(1).randbytes(0x48000) + b"\xff" * (FLASH_SIZE - 0x48000)
"""What the flash holds before each case: ends in the middle of the 64 KiB + 1 image's last window and sector."""
WINDOW = 0x8000
SECTOR = 0x1000
RATES = (115200, 921600)
ESPSIM = (sys.executable, "-c", "from simulator.cli import main; main()", "run")
FLASHCORE = (sys.executable, "-m", "flashcore")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A way to the board.

    Args:
        name: As ``--link`` takes it.
        options: Further options of ``espsim run``.
        has_lines: Whether it carries DTR and RTS, so that a client can reset the board.
        has_rate: Whether bytes take as long as the baud rate says, or can be garbled by a wrong one.
        block_cost_s: What each command costs pyserial's client besides what crosses the line, in seconds.
    """

    name: str
    options: tuple[str, ...] = ("--pace", "max")
    has_lines: bool = False
    has_rate: bool = True
    block_cost_s: float = 0.0


LINKS = {
    link.name: link
    for link in (
        Link(name="virtual", options=(), has_lines=True),
        Link(name="pty"),
        Link(name="tcp", has_rate=False),
        Link(name="rfc2217", has_lines=True, has_rate=False, block_cost_s=0.25),
    )
    if link.name in KNOWN_LINKS
}
"""The links that exist and that pyserial's clients can use. Source: docs/cli.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """With which loader and how an image travels."""

    stub: bool
    compressed: bool

    @property
    def name(self) -> str:
        return f"{'stub' if self.stub else 'ROM'}, {'compressed' if self.compressed else 'plain'}"


MODES = {
    mode.name: mode
    for mode in (Mode(stub=stub, compressed=compressed) for stub in (True, False) for compressed in (True, False))
}


def _half_random(size: int) -> bytes:
    random = Random(4)
    return b"".join(random.randbytes(512) + bytes(512) for _ in range(size // 1024))


IMAGES = {
    "1 byte": b"\x5a",
    "4 KiB": Random(5).randbytes(0x1000),
    "64 KiB + 1": Random(6).randbytes(0x10001),
    "1 MiB random": Random(7).randbytes(1 << 20),
    "1 MiB zeros": bytes(1 << 20),
    "2 MiB half-random": _half_random(2 << 20),
    "256 KiB of C0/DB": bytes(Random(8).choices(b"\xc0\xdb", k=0x40000)),
}
"""What is written: the edges of a sector and of a window, the ends of compression, and what SLIP doubles."""

SMALL = 0x10001
"""Length in bytes up to which an image is written where each command costs a quarter of a second and holds 1 KiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A command of esptool, spelled as esptool 5 does.

    Args:
        words: Its command line; ``{image}``, ``{same}`` and ``{out}`` stand for files.
        says: What its output must have in it, in small letters.
        after: What the flash must hold afterwards, where a command does as it should.
    """

    words: tuple[str, ...]
    says: tuple[str, ...] = ()
    after: bytes = BEFORE


def erased(start: int, length: int) -> bytes:
    """Return `BEFORE` with `length` bytes from `start` on erased."""
    return BEFORE[:start] + b"\xff" * length + BEFORE[start + length :]


def written(image: bytes, address: int = ADDRESS) -> bytes:
    """Return `BEFORE` with `image` in it and the rest of its last sector erased."""
    blank = erased(address, -(-len(image) // SECTOR) * SECTOR)
    return blank[:address] + image + blank[address + len(image) :]


def written_in_windows(image: bytes, address: int = ADDRESS) -> bytes:
    """Return what the ROM makes of a compressed write: whole windows, each one's tail left from the one before it.

    The tail is programmed where nothing was erased, which can only clear bits. Source: oracle fact 43.
    """
    padded = _padded(image)
    window, sent = bytearray(WINDOW), bytearray()
    for start in range(0, len(padded) + 1, WINDOW):
        piece = padded[start : start + WINDOW]
        window[: len(piece)] = piece
        sent += window
    blank = erased(address, -(-len(image) // SECTOR) * SECTOR)
    old = int.from_bytes(blank[address : address + len(sent)], "big")
    programmed = (old & int.from_bytes(sent, "big")).to_bytes(len(sent), "big")
    return blank[:address] + programmed + blank[address + len(sent) :]


def _padded(image: bytes) -> bytes:
    """Return what esptool compresses: whole words."""
    return image + b"\xff" * (-len(image) % 4)


IMAGE = Random(2).randbytes(9000) + bytes(20000) + Random(3).randbytes(7000)
"""What the operations write: more than one window, and not whole sectors."""
READ = (0x11000, 0x3000)

OPERATIONS = {
    "flash-id": Operation(words=("flash-id",), says=("manufacturer: ef", "device: 4016", "4mb")),
    "read-mac": Operation(words=("read-mac",), says=("d8:a0:1d:40:8f:1c",)),
    "chip-id": Operation(words=("chip-id",), says=("has no chip id", "d8:a0:1d:40:8f:1c")),
    "read-flash-status": Operation(words=("read-flash-status",), says=("0x0200",)),
    "write-flash --compress": Operation(
        words=("write-flash", "--compress", hex(ADDRESS), "{image}"), says=("hash of data verified",), after=written(IMAGE)
    ),
    "write-flash --no-compress": Operation(
        words=("write-flash", "--no-compress", hex(ADDRESS), "{image}"), says=("hash of data verified",), after=written(IMAGE)
    ),
    "read-flash": Operation(words=("read-flash", *map(hex, READ), "{out}")),
    "verify-flash": Operation(words=("verify-flash", "0x1000", "{same}"), says=("digest matched",)),
    "erase-region": Operation(words=("erase-region", "0x20000", "0x13000"), after=erased(0x20000, 0x13000)),
    "erase-flash": Operation(words=("erase-flash",), after=b"\xff" * FLASH_SIZE),
}

ROM_DOES_NOT_ERASE = "the ROM has no such command, and the client says so: exit 2, nothing changed"
OLD_ERASE_REGION = "before 4.12 the client asks the stub only, though FLASH_BEGIN would do: exit 2, nothing changed"
WINDOWS = (
    "the ROM programs whole windows of 32 KiB when it inflates, so up to 32 KiB behind the image are programmed too "
    "(oracle fact 43); the image itself is right"
)
SENT_PLAIN = "esptool 5.6 sends an image plain if compressing does not make it shorter"
NO_STUB = "the client knows the ROM loader and plain data only"
TOO_SLOW = "pyserial's RFC 2217 client spends about a quarter of a second on each block, and the ROM's blocks have 1 KiB"
TWO_MEGABYTES = (
    "the ROM takes the flash for one of 2 MB until it is told otherwise (oracle fact 33), which clients before 4.8 do only for "
    "`--flash_size`: exit 2, nothing changed"
)
KEEPS_TWO_MEGABYTES = ("3.3", "3.3.3", "4.2.1")
NO_ERASE_REGION_IN_ROM = ("3.3", "3.3.3", "4.2.1", "4.8.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question.

    Args:
        client: Which flasher, with its release: ``esptool 3.3``.
        link: A key of `LINKS`.
        mode: A key of `MODES`; of operations that do not write only the loader counts.
        subject: A key of `OPERATIONS` or `IMAGES`.
        rate: Baud rate for the work.
    """

    client: str
    link: str
    mode: str
    subject: str
    rate: int = 921600

    @property
    def name(self) -> str:
        return "-".join((self.client, self.link, self.mode, self.subject, str(self.rate))).replace(", ", "+").replace(" ", "_")

    @property
    def esptool(self) -> Esptool | None:
        name, _, release = self.client.partition(" ")
        return Esptool(release=release) if name == "esptool" else None

    @property
    def stub(self) -> bool:
        return MODES[self.mode].stub

    @property
    def is_operation(self) -> bool:
        return self.subject in OPERATIONS

    @property
    def refusal(self) -> str:
        """Why the client must refuse; empty if it must not."""
        if self.stub or not self.esptool:
            return ""
        if self.subject == "erase-flash":
            return ROM_DOES_NOT_ERASE
        if self.subject == "erase-region" and self.esptool.release in NO_ERASE_REGION_IN_ROM:
            return OLD_ERASE_REGION
        beyond = not self.is_operation and ADDRESS + len(IMAGES[self.subject]) > 2 << 20
        return TWO_MEGABYTES if beyond and self.esptool.release in KEEPS_TWO_MEGABYTES else ""

    @property
    def remark(self) -> str:
        """What else there is to say about how the image travels; empty if nothing."""
        if self.is_operation or not MODES[self.mode].compressed or not self.esptool or self.esptool.version < (5, 6):
            return ""
        padded = _padded(IMAGES[self.subject])
        return SENT_PLAIN if len(zlib.compress(padded, 9)) >= len(padded) else ""

    @property
    def deviation(self) -> str:
        """Why more than what was asked for must happen to the flash; empty if it must not."""
        compressed = self.subject.endswith(" --compress") if self.is_operation else MODES[self.mode].compressed
        return WINDOWS if self.esptool and not self.stub and compressed and not self.remark else ""

    @property
    def after(self) -> bytes:
        """What the flash must hold afterwards."""
        if self.refusal:
            return BEFORE
        image = IMAGE if self.is_operation else IMAGES[self.subject]
        if self.deviation:
            return written_in_windows(image)
        return OPERATIONS[self.subject].after if self.is_operation else written(image)

    @property
    def cannot(self) -> str:
        """Why there is nothing to be run; empty if there is."""
        if not self.esptool and self.client.startswith("miniesptool") and self.mode != "ROM, plain":
            return NO_STUB
        slow = LINKS[self.link].block_cost_s and not self.stub and not self.is_operation
        return TOO_SLOW if slow and len(IMAGES[self.subject]) > SMALL else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """An answer.

    Args:
        problem: What is not as it must be; empty if nothing.
        output: What the client printed, and espsim with it.
        command: The client's command line, the program's path left out.
    """

    problem: str
    output: str
    command: str


def run(case: Case, folder: Path) -> Result:
    """Run a case in the empty `folder`.

    Raises:
        FlasherEnvironmentError: The client cannot be installed.
    """
    before, after, out = folder / "before.bin", folder / "after.bin", folder / "out.bin"
    before.write_bytes(BEFORE)
    (folder / "same.bin").write_bytes(BEFORE[0x1000:0x9000])
    (folder / "image.bin").write_bytes(IMAGE if case.is_operation else IMAGES[case.subject])
    words = [word.format(**{name: folder / f"{name}.bin" for name in ("image", "same", "out")}) for word in _task(case)]
    command = _command(case, words)
    status, output = _session(case, command, before, after)
    problem = _difference(case, status, output, after)
    if not problem and case.subject == "read-flash" and out.read_bytes() != BEFORE[READ[0] :][: READ[1]]:
        problem = "the file read is not what the flash holds"
    if not problem and not case.is_operation and not case.refusal and (reading := _reading(case, out)):
        status, more = _session(case, reading, after, folder / "again.bin")
        output += more
        if status or out.read_bytes() != IMAGES[case.subject]:
            problem = f"reading back: exit code {status}" if status else "read back differently"
        elif (folder / "again.bin").read_bytes() != after.read_bytes():
            problem = "reading changed the flash"
    shown = " ".join(command).replace(f"{folder}/", "").replace(sys.executable, "python")
    return Result(problem=problem, output=output, command=shown)


def _task(case: Case) -> tuple[str, ...]:
    """Return the words that say what is to be done."""
    if case.is_operation:
        return OPERATIONS[case.subject].words
    option = "--compress" if MODES[case.mode].compressed else "--no-compress"
    if case.esptool:
        return ("write-flash", option, hex(ADDRESS), "{image}")
    return ("write", *([option] if option == "--no-compress" else []), hex(ADDRESS), "{image}")


def _command(case: Case, words: list[str], *, stub: bool | None = None) -> list[str]:
    """Return the client's command line for `words`."""
    if case.client.startswith("miniesptool"):
        script = str(ROOT / "tests" / "flashers" / "miniesptool_client.py")
        return [miniesptool(), script, "{port}", str(case.rate), *words[-2:]]
    untouched = [] if LINKS[case.link].has_lines else ["--before", "no-reset", "--after", "no-reset"]
    loader = [] if (case.stub if stub is None else stub) else ["--no-stub"]
    options = ["--port", "{port}", "--baud", str(case.rate), *untouched, *loader]
    if case.esptool:
        return [*case.esptool.words, *case.esptool.spelled(*options, words[0]), *words[1:]]
    return [*FLASHCORE, *options, *words]


def _reading(case: Case, out: Path) -> list[str]:
    """Return the command line that reads the image back, through the stub for speed; empty where the client cannot read."""
    if case.client.startswith("miniesptool"):
        return []
    name = "read-flash" if case.esptool else "read"
    words = [name, hex(ADDRESS), hex(len(IMAGES[case.subject])), str(out)]
    return _command(case, words, stub=True)


def _session(case: Case, command: list[str], before: Path, after: Path) -> tuple[int, str]:
    link = LINKS[case.link]
    options = ["--board", BOARD, "--link", link.name, *link.options, "--flash", str(before), "--save-flash", str(after)]
    done = subprocess.run(
        [*ESPSIM, *options, "--timeout", "1500", "--", *command],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return done.returncode, done.stdout


def _difference(case: Case, status: int, output: str, after: Path) -> str:
    wanted = 2 if case.refusal else 0
    if status != wanted:
        lines = [line for line in output.splitlines() if line.strip()]
        return f"exit code {status} in place of {wanted}: {lines[-1] if lines else 'no output'}"
    flash, due = after.read_bytes(), case.after
    if flash != due:
        wrong = [page for page in range(0, FLASH_SIZE, 256) if flash[page : page + 256] != due[page : page + 256]]
        return f"flash differs in {len(wrong)} pages from {wrong[0]:#x} on" if wrong else "flash has another size"
    if case.refusal:
        said = "result was 01060000" if case.refusal == TWO_MEGABYTES else "does not support function"
        return "" if said in output else f"does not say {said!r}"
    if case.is_operation:
        missing = [text for text in OPERATIONS[case.subject].says if text not in output.lower()]
        return f"does not say {missing[0]!r}" if missing else ""
    return ""


def operations(client: str, *, links: Iterable[str] = LINKS) -> Iterator[Case]:
    """Yield what an esptool is asked apart from images; over a network its rate means nothing, so there is one."""
    for link in links:
        for stub in (True, False):
            for subject in OPERATIONS:
                mode = Mode(stub=stub, compressed=subject.endswith(" --compress")).name
                for rate in RATES if LINKS[link].has_rate else RATES[-1:]:
                    yield Case(client=client, link=link, mode=mode, subject=subject, rate=rate)


def images(client: str) -> Iterator[Case]:
    """Yield which images a client writes."""
    for link in LINKS:
        for mode in MODES:
            for subject in IMAGES:
                yield Case(client=client, link=link, mode=mode, subject=subject)


MINIESPTOOL = f"miniesptool {MINIESPTOOL_RELEASE}"


def everything(releases: tuple[str, ...]) -> Iterator[Case]:
    """Yield the whole matrix, with operations over a network by a few releases only."""
    for release in releases:
        few = release in (*QUICK, INSTALLED)
        yield from operations(f"esptool {release}", links=[link for link in LINKS if few or LINKS[link].has_rate])
    for client in (*(f"esptool {release}" for release in releases), "flashcore", MINIESPTOOL):
        yield from images(client)


def quick(releases: tuple[str, ...]) -> Iterator[Case]:
    """Yield what the gate runs: all operations in virtual time, a write and its reading back over a pty."""
    for release in releases:
        for case in operations(f"esptool {release}", links=("virtual",)):
            if case.rate == (921600 if case.stub else 115200):
                yield case
        for mode in ("stub, compressed", "ROM, plain"):
            yield Case(client=f"esptool {release}", link="pty", mode=mode, subject="64 KiB + 1")
    yield Case(client=f"esptool {INSTALLED}", link="virtual", mode="stub, compressed", subject="256 KiB of C0/DB")
    for link in ("virtual", "pty"):
        yield Case(client=MINIESPTOOL, link=link, mode="ROM, plain", subject="64 KiB + 1")
