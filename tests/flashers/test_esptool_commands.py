"""Everything that esptool 5 can ask of an ESP32: it works as on a board, or is refused as a board refuses it.

Each case is one run of the real esptool in virtual time. What counts is what it leaves behind: flash, registers, boot mode and
modem lines; of its output only what depends on the chip.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests import ram_program
from tests.flashers.board_runs import BIN, Ran, in_turn, run
from tests.flashers.esptool_cases import AT_REST, CASES, NEW, OLD, SEALED, USED, ZEROS, Case

pytestmark = pytest.mark.peers


def make_files(folder: Path) -> None:
    """Write the files that the cases name."""
    for name, data in (("old.bin", OLD), ("new.bin", NEW), ("zeros.bin", ZEROS), ("sealed.bin", SEALED)):
        (folder / name).write_bytes(data)


def make_programs(folder: Path) -> None:
    """Build two programs for RAM with esptool's own tool."""
    program, data = ram_program.hello_world()
    strange = ram_program.Program().add(ram_program.entry(32), b"\x00\x00\x00")
    padded = data + bytes(-len(data) % 4)
    for name, segments, start in (
        (
            "hello",
            [(".iram0.text", ram_program.CODE, program.image(), True), (".dram0.data", ram_program.DATA, padded, False)],
            program.start,
        ),
        ("strange", [(".iram0.text", ram_program.CODE, strange.image(), True)], strange.start),
    ):
        (folder / f"{name}.elf").write_bytes(ram_program.elf(segments, start))
        words = [str(BIN / "esptool"), "--chip", "esp32", "elf2image", "-o", f"{name}.bin", f"{name}.elf"]
        subprocess.run(words, cwd=folder, check=True, capture_output=True)


def in_order(texts: tuple[str, ...], output: str) -> str:
    """Return the first of `texts` that does not follow the ones before it in `output`; empty if all do."""
    at = 0
    flat = " ".join(output.split())
    for text in texts:
        at = flat.find(" ".join(text.split()), at)
        if at < 0:
            return text
    return ""


def carry_out(case: Case, folder: Path) -> Ran:
    """Run a case."""
    make_files(folder)
    if any("load-ram" in command for command in case.commands):
        make_programs(folder)
    settings = {}
    if case.settings:
        (folder / "esptool.cfg").write_text(f"[esptool]\n{case.settings}\n")
        settings["ESPTOOL_CFGFILE"] = str(folder / "esptool.cfg")
    commands = [re.sub("^E ", "esptool --port {port} ", command) for command in case.commands]
    if case.status in (0, 70):
        commands.append("wait 0.3")
    else:
        commands += ["expect 2", "wait 0.3"]
    return run(folder, in_turn(*commands), board=case.board, flash=case.before, settings=settings)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_what_a_command_leaves_behind_is_what_it_leaves_on_a_board(case: Case, tmp_path: Path) -> None:
    ran = carry_out(case, tmp_path)
    assert ran.status == (70 if case.status == 70 else 0), ran.text
    assert in_order(case.says, ran.text) == "", ran.text
    assert ran.flash == (case.before if case.after is None else case.after)
    assert ran.last_reset.endswith(case.reset)
    assert ran.lines == AT_REST
    if case.status != 70:
        assert ran.notes("gap") == []


def test_a_dump_of_memory_holds_what_is_there(tmp_path: Path) -> None:
    ran = run(tmp_path, in_turn("esptool --port {port} --no-stub dump-mem 0x3ffae270 24 dump.bin"))
    assert ran.status == 0, ran.text
    assert (tmp_path / "dump.bin").read_bytes().hex() == "ef401500000020000000010000100000" + "00010000ffff0000"


@pytest.mark.parametrize("how", ["", "--no-stub"])
def test_what_is_read_from_flash_is_what_is_there(how: str, tmp_path: Path) -> None:
    words = in_turn(f"esptool --port {{port}} {how} read-flash 0x10010 1000 read.bin")
    ran = run(tmp_path, words, flash=USED)
    assert ran.status == 0, ran.text
    assert (tmp_path / "read.bin").read_bytes() == OLD[16:1016]
