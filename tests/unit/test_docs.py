"""The documents say what is so: links lead somewhere, commands exist, citations resolve, generated pages are current."""

from __future__ import annotations

import fnmatch
import functools
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from flashcore.cli.app import flashcore
from flashcore.cli.arguments import parse_pairs
from flashcore.errors import ExitCode, FlashcoreError
from flashcore.loader import progress
from simulator.cli.main import espsim
from simulator.faults.registry import ACTIONS, TRIGGERS
from simulator.scenario import Scenario
from tests import oracle
from tests.conformance import deviations, stub_probes

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
SOURCES = sorted(
    file for folder in ("flashcore", "simulator", "tests", "benchmarks", "examples") for file in (ROOT / folder).rglob("*.py")
)
GROUPS = {"flashcore": flashcore, "espsim": espsim}

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
MACHINE_PATH = re.compile(r"(?<![\w.~:/-])/(?:work|home|root|Users|tmp|opt)/\S+")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose(text: str) -> str:
    return re.sub(r"`[^`\n]*`", lambda found: "x" * len(found[0]), FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """Return the anchors that a page's headings get."""
    headings = re.findall(r"^#+ +(.+?) *$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(document: Path, text: str) -> Iterator[str]:
    for target in LINK.findall(prose(text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        if not file.exists():
            yield f"{target}: there is no such file"
        elif anchor and file.suffix == ".md":
            there = text if file == document else file.read_text(encoding="utf-8")
            if anchor not in anchors(there):
                yield f"{target}: there is no such heading"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_relative_links_lead_somewhere(document: Path) -> None:
    assert list(broken_links(document, document.read_text(encoding="utf-8"))) == []


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    text = "# Head line\n[a](nowhere.md) [b](#head-line) [c](#other) [d](https://example.org/x)\n"
    page = tmp_path / "page.md"
    page.write_text(text)
    found = list(broken_links(page, text))
    assert found == ["nowhere.md: there is no such file", "#other: there is no such heading"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_no_document_names_a_path_of_somebodys_machine(document: Path) -> None:
    assert MACHINE_PATH.findall(document.read_text(encoding="utf-8")) == []


# --- command lines -------------------------------------------------------------------------------------------------


def console_lines(text: str) -> Iterator[str]:
    """Yield the commands in blocks of console output, prompts taken off."""
    for kind, body in FENCE.findall(text):
        if kind == "console":
            for line in body.replace("\\\n", " ").splitlines():
                if line.startswith("$ "):
                    yield line[2:]


def ours(words: list[str]) -> list[str]:
    """Return the command line from our own command on; empty where it is somebody else's."""
    if words[:2] == ["python", "-m"]:
        words = words[2:]
    first = Path(words[0]).name if words else ""
    return [first, *words[1:]] if first in GROUPS else []


def check_command(words: list[str]) -> None:
    """Let click read a command line without running it; raise what it says about a wrong one."""
    group = GROUPS[words[0]]
    context = click.Context(group, info_name=words[0])
    _, rest, _ = group.make_parser(context).parse_args(list(words[1:]))
    if not rest:
        return
    command = group.get_command(context, rest[0])
    assert command is not None, f"there is no command {rest[0]}"
    given = command.make_context(rest[0], rest[1:], parent=context).params
    if "pairs" in given:
        parse_pairs(given["pairs"])
    if words[0] == "espsim" and rest[0] in ("run", "serve"):
        for board in given.get("boards", [given.get("board")]):
            Scenario(board=board, faults=given["faults"], firmware=given["firmware"]).check()
        inner = ours(list(given.get("command_line", ())))
        if inner:
            check_command(inner)


COMMANDS = [
    (name_of(document), line)
    for document in (ROOT / "README.md", DOCS / "cli.md")
    for line in console_lines(document.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("document", "line"), COMMANDS, ids=[f"{document}: {line}" for document, line in COMMANDS])
def test_each_command_line_shown_is_one_that_exists(document: str, line: str) -> None:
    words = ours(shlex.split(line, comments=True))
    if words:
        check_command(words)


def test_the_page_on_command_lines_shows_some() -> None:
    shown = {ours(shlex.split(line))[0] for document, line in COMMANDS if document == "docs/cli.md"}
    assert shown == {"flashcore", "espsim"}


@pytest.mark.parametrize(
    "line",
    [
        "espsim run --no-such-option -- true",
        "espsim fly",
        "espsim run --fault no-such-fault -- true",
        "espsim run --fault h2d:sometimes:drop -- true",
        "espsim run --board no-such-board -- true",
        "espsim run -- flashcore --port {port} write 0x10000",
        "flashcore info --bogus",
    ],
)
def test_a_wrong_command_line_is_noticed(line: str) -> None:
    with pytest.raises((click.ClickException, AssertionError, FlashcoreError)):
        check_command(ours(shlex.split(line)))


def options() -> Iterator[tuple[str, str]]:
    for name, group in GROUPS.items():
        context = click.Context(group)
        for command in group.list_commands(context):
            found = group.get_command(context, command)
            assert found is not None
            for parameter in found.params:
                if isinstance(parameter, click.Option):
                    yield f"{name} {command}", next(option for option in parameter.opts if option.startswith("--"))


def test_the_page_on_command_lines_names_every_option_event_exit_code_and_fault() -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    missing = [f"{command} {option}" for command, option in options() if not re.search(rf"`{option}\b", page)]
    commands = [item for group in GROUPS.values() for item in group.list_commands(click.Context(group))]
    missing += [f"command {item}" for item in commands if f"| `{item}" not in page]
    missing += [f"event {item}" for item in [*progress._NAMES.values(), "result", "error"] if f"| `{item}` |" not in page]
    missing += [f"exit code {int(item)}" for item in ExitCode if f"| {int(item)} |" not in page]
    missing += [f"fault part {item}" for item in [*TRIGGERS, *ACTIONS] if f"| `{item}" not in page]
    assert missing == []


# --- generated pages, and citations ----------------------------------------------------------------------------------


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_current() -> None:
    for name, make in generator().DOCUMENTS.items():
        assert (DOCS / name).read_text(encoding="utf-8") == make(), f"run python docs/generate.py for docs/{name}"


@functools.cache
def probe_names() -> frozenset[str]:
    files = [path.stem for path in oracle.FOLDER.glob("*_*.json") if path.stem != "rom_opcodes"]
    return frozenset(probe["name"] for file in files for probe in oracle.probes(file))


def facts() -> set[int]:
    page = (DOCS / "oracle.md").read_text(encoding="utf-8").partition("## Facts")[2]
    return {int(number) for number in re.findall(r"^(\d+)\. ", page, re.MULTILINE)}


def test_the_facts_are_numbered_and_each_names_probes_that_exist() -> None:
    assert facts() == set(range(1, 81)) - {49}
    page = (DOCS / "oracle.md").read_text(encoding="utf-8").partition("## Facts")[2]
    for line in re.findall(r"^\d+\. .*$", page, re.MULTILINE):
        names = re.findall(r"`([a-z0-9_]+\*?)`", line)
        assert names, line
        assert [name for name in names if not fnmatch.filter(probe_names(), name)] == []


def catalogue() -> set[int]:
    page = (DOCS / "sources.md").read_text(encoding="utf-8").partition("## Fault catalogue")[2]
    return {int(number) for number in re.findall(r"^\| (\d+) \| `", page, re.MULTILINE)}


def numbers(text: str) -> Iterator[int]:
    """Yield the numbers in "3 to 5, 7 and 9"."""
    for first, last in re.findall(r"(\d+)(?: to (\d+))?", text):
        yield from range(int(first), int(last or first) + 1)


LIST = r"(\d+(?:(?:, | and | to |, and )\d+)*)"

CITED_PROBES = re.compile(
    r"\b(rom_[a-z*]+|stub_(?:e\w+|\*))\.json(?:``)?"
    r"((?:,? [a-z0-9]+_[a-z0-9_*]+\b\*?(?!\.json))*)"
)
"""A vector file, and the names of probes behind it."""


def unresolved(text: str) -> Iterator[str]:
    """Find citations in a source file that lead nowhere."""
    flat = re.sub(r"\s+", " ", text)
    for found in re.findall(rf"\bfacts? {LIST}", flat):
        yield from (f"fact {number}" for number in numbers(found) if number not in facts())
    for found in re.findall(rf"\b[Cc]atalogue,? rows? {LIST}", flat):
        yield from (f"catalogue row {number}" for number in numbers(found) if number not in catalogue())
    headings = re.findall(r"^#+ +(.+?) *$", (DOCS / "sources.md").read_text(encoding="utf-8"), re.MULTILINE)
    for found in re.findall(r"sources\.md, (?=(.{1,40}))", flat):
        if not any(found.startswith(heading) for heading in headings):
            yield f"sources.md, {re.split(r'[;.,()]', found)[0]}"
    for file, names in CITED_PROBES.findall(flat):
        if not list(oracle.FOLDER.glob(f"{file}.json")):
            yield f"{file}.json"
        if file != "rom_opcodes":
            for name in re.findall(r"[a-z0-9]+_[a-z0-9_*]+", names):
                if not fnmatch.filter(probe_names(), name):
                    yield f"{file}.json {name}"
    yield from re.findall(r"\b(?:clients|flasher-constants|baselines|fault-catalogue|design|style)\.md\b", flat)
    yield from re.findall(r"\bflasher-constants\b(?!\.md)|Source: constants\b|oracle README\b", flat)


@pytest.mark.parametrize("file", [file for file in SOURCES if file != Path(__file__).resolve()], ids=name_of)
def test_citations_resolve(file: Path) -> None:
    assert list(unresolved(file.read_text(encoding="utf-8"))) == []


def test_a_citation_that_leads_nowhere_is_noticed() -> None:
    text = """Source: oracle facts 3 to 5, 49, 81; fault catalogue rows 2, 66; docs/sources.md, Weather; docs/sources.md,
    Bridges; ``rom_mem.json`` mem_ok, mem_never; rom_nothing.json; clients.md section 3."""
    assert list(unresolved(text)) == [
        "fact 49",
        "fact 81",
        "catalogue row 66",
        "sources.md, Weather",
        "rom_mem.json mem_never",
        "rom_nothing.json",
        "clients.md",
    ]


def test_every_deviation_from_the_recordings_is_in_the_page_on_fidelity() -> None:
    page = (DOCS / "fidelity.md").read_text(encoding="utf-8")
    names = [*deviations.ROM, *(probe for _, probe in stub_probes.DEVIATIONS)]
    assert [name for name in names if f"`{name}`" not in page] == []
