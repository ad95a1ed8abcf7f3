"""The architecture as a check: who may import whom, and a few laws of the house.

The tables below are the law; the rules after them read every module's syntax tree, so nothing is imported or run.
Imports for type checkers count like any other, and so does `import_module` with a literal name. Each rule is run twice:
over this project, where it must find nothing, and over small trees that break it, where it must name file and line.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("flashcore", "simulator")
MAX_LINES = 400


def below(*names: str) -> frozenset[str]:
    return frozenset(names)


# What the layers of the simulator stand on. Each name includes all that it may import itself.
HOST = below(
    "flashcore.errors",
    "flashcore.port",
    "flashcore.usb_ids",
    "flashcore.whole_file",
    "flashcore.host",
    "flashcore.protocol",
    "flashcore.chips",
    "flashcore.image",
)
KERNEL = below("simulator.clock", "simulator.kernel", "simulator.rng", "simulator.wire")
BOARD = HOST | KERNEL | below("simulator.chip", "simulator.board")
FAULTS = BOARD | below("simulator.faults")
DESK = FAULTS | below("simulator.links.virtual", "simulator.host")
LINKS = DESK | below("simulator.record", "simulator.scenario", "simulator.links")
RUNS = LINKS | below("simulator.preload")
REPORTS = RUNS | below("simulator.flashers", "simulator.campaign", "simulator.scorecard", "simulator.testing")

LAYERS: Mapping[str, frozenset[str]] = {
    # The two roots stand for their own `__init__.py` alone: a module without a row of its own is an error.
    "flashcore": HOST | below("flashcore.exports", "flashcore.loader", "flashcore.approach", "flashcore.ports"),
    "flashcore.exports": HOST | below("flashcore.loader", "flashcore.approach", "flashcore.ports"),
    "flashcore.__main__": below("flashcore.cli"),
    "flashcore.errors": below(),
    "flashcore.port": below("flashcore.errors"),
    "flashcore.usb_ids": below(),
    "flashcore.whole_file": below(),
    "flashcore.host": below("flashcore.errors", "flashcore.port", "flashcore.usb_ids"),
    "flashcore.protocol": below("flashcore.errors"),
    "flashcore.chips": below("flashcore.errors"),
    "flashcore.image": below("flashcore.errors", "flashcore.protocol", "flashcore.chips"),
    "flashcore.loader": HOST,
    "flashcore.approach": HOST | below("flashcore.loader"),
    "flashcore.ports": below("flashcore.errors", "flashcore.port", "flashcore.usb_ids", "flashcore.host"),
    "flashcore.cli": below("flashcore"),
    "simulator": REPORTS,
    "simulator.__main__": below("simulator.cli"),
    "simulator.clock": HOST | KERNEL,
    "simulator.kernel": HOST | KERNEL,
    "simulator.rng": HOST | KERNEL,
    "simulator.wire": HOST | KERNEL,
    "simulator.chip": HOST | KERNEL,
    "simulator.faults": KERNEL | below("flashcore.errors", "flashcore.protocol", "simulator.chip", "simulator.board"),
    "simulator.board": BOARD,
    "simulator.record": FAULTS,
    "simulator.links.virtual": BOARD,
    "simulator.host": DESK,
    "simulator.outset": FAULTS,
    "simulator.scenario": DESK | below("simulator.record", "simulator.outset"),
    "simulator.links": LINKS,
    "simulator.testing": RUNS | below("simulator.flashers"),
    "simulator.preload": DESK,
    "simulator.flashers": RUNS,
    # It takes both packages along into a flasher's own interpreter, so it must know where they are.
    "simulator.flashers.virtual_run": RUNS | below("flashcore", "simulator", "simulator.flashers"),
    "simulator.flashers.flashcore": RUNS | below("simulator.flashers", "flashcore.loader", "flashcore.approach"),
    "simulator.flashers.shards": RUNS | below("flashcore", "simulator", "simulator.flashers"),
    "simulator.campaign": LINKS | below("simulator.flashers"),
    "simulator.scorecard": LINKS | below("simulator.flashers", "simulator.campaign"),
    "simulator.cli": REPORTS,
    "simulator.strategies": RUNS | below("simulator.flashers", "simulator.outset", "simulator.testing"),
    "simulator.plugin": RUNS | below("simulator.testing"),
    "simulator.pytest_plugin": REPORTS | below("simulator.plugin"),
}
"""For each layer (a module or package and all below it, the longest match counts) what it may import besides itself."""

STDLIB_ONLY: Mapping[str, frozenset[str]] = {"flashcore": below("flashcore.ports", "flashcore.cli")}
"""Packages that import no third party, with the parts that may."""

FORBIDDEN: Mapping[str, frozenset[str]] = {
    "flashcore.protocol": below("logging", "os", "time"),
    "simulator.chip": below("logging", "os", "time"),
}
"""Modules of the standard library that a pure layer does without."""

SHIMS = below("simulator/flashers/virtual_time.py", "simulator/flashers/bootstrap.py")
"""What gives an unmodified flasher its virtual clock."""

SOURCES: Mapping[str, frozenset[str]] = {
    "time": SHIMS | below("flashcore/port.py", "simulator/clock.py"),
    "random": SHIMS | below("simulator/rng.py"),
}
"""Modules through which the world's time and chance come in, with the files that may use them (pyproject.toml too)."""

MACHINE_PATH = re.compile(rb"(?<![\w.~-])/" + rb"work/")
"""An absolute path of the machine on which the project is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A source file of one of the packages."""

    root: Path
    path: str
    name: str
    source: str
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        return self.path.endswith("/__init__.py")


def modules(root: Path) -> Iterator[Module]:
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            path = file.relative_to(root).as_posix()
            name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            source = file.read_text(encoding="utf-8")
            yield Module(root=root, path=path, name=name, source=source, tree=ast.parse(source, filename=path))


def within(name: str, *prefixes: str) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


def layer_of(name: str) -> str | None:
    rows = [row for row in LAYERS if (name == row if row in PACKAGES else within(name, row))]
    return max(rows, key=len, default=None)


def imports(module: Module) -> Iterator[tuple[int, str]]:
    """Yield line and absolute name of all that `module` imports; a name taken from a package may be a submodule."""
    package = module.name if module.is_package else module.name.rpartition(".")[0]
    for node in ast.walk(module.tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=base, names=names, level=level):
                if level:
                    above = package.split(".")[: len(package.split(".")) - (level - 1)]
                    base = ".".join([*above, base] if base else above)
                for alias in names:
                    inner = f"{base}.{alias.name}"
                    place = module.root.joinpath(*inner.split("."))
                    yield node.lineno, inner if place.with_suffix(".py").exists() or place.is_dir() else str(base)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(target)), *_],
            ) if not target.startswith("."):
                yield node.lineno, target


def layers(root: Path) -> Iterator[str]:
    for module in modules(root):
        layer = layer_of(module.name)
        if layer is None:
            yield f"{module.path}:1: {module.name} has no row in LAYERS"
            continue
        allowed = LAYERS[layer] if layer in PACKAGES else LAYERS[layer] | {layer}
        for line, target in imports(module):
            if within(target, *PACKAGES) and not within(target, *allowed):
                yield f"{module.path}:{line}: {layer} may not import {target}"


def third_parties(root: Path) -> Iterator[str]:
    for module in modules(root):
        for package, excepted in STDLIB_ONLY.items():
            if within(module.name, package) and not within(module.name, *excepted):
                for line, target in imports(module):
                    top = target.partition(".")[0]
                    if top not in PACKAGES and top not in sys.stdlib_module_names:
                        yield f"{module.path}:{line}: {package} may not import third-party {top}"


def purity(root: Path) -> Iterator[str]:
    for module in modules(root):
        for layer, names in FORBIDDEN.items():
            if within(module.name, layer):
                for line, target in imports(module):
                    if target.partition(".")[0] in names:
                        yield f"{module.path}:{line}: {layer} is pure and may not import {target}"


def time_and_chance(root: Path) -> Iterator[str]:
    """Find calls and other uses of the banned modules; naming the type `random.Random` without calling it is none."""
    for module in modules(root):
        aliases: dict[str, str] = {}
        banned = {name for name, files in SOURCES.items() if module.path not in files}
        called = {id(node.func) for node in ast.walk(module.tree) if isinstance(node, ast.Call)}
        for node in ast.walk(module.tree):
            match node:
                case ast.Import(names=names):
                    aliases |= {alias.asname or alias.name: alias.name for alias in names if alias.name in banned}
                case ast.ImportFrom(module=str(source), names=names, level=0) if source in banned:
                    for alias in names:
                        yield f"{module.path}:{node.lineno}: {source}.{alias.name} is not for {module.name}"
        for node in ast.walk(module.tree):
            match node:
                case ast.Attribute(value=ast.Name(id=local), attr=name) if local in aliases:
                    if name != "Random" or id(node) in called:
                        yield f"{module.path}:{node.lineno}: {aliases[local]}.{name} is not for {module.name}"


def sizes(root: Path) -> Iterator[str]:
    for module in modules(root):
        lines = len(module.source.splitlines())
        if lines > MAX_LINES:
            yield f"{module.path}:{MAX_LINES + 1}: {lines} lines, more than {MAX_LINES}"


def facades(root: Path) -> Iterator[str]:
    for module in modules(root):
        if not module.is_package:
            continue
        for position, node in enumerate(module.tree.body):
            match node:
                case ast.Import() | ast.ImportFrom():
                    pass
                case ast.Expr(value=ast.Constant(value=str())) if position == 0:
                    pass
                case ast.Assign(targets=[ast.Name(id="__all__")], value=value) if literal_names(value):
                    pass
                case ast.AnnAssign(target=ast.Name(id="__all__"), value=value) if literal_names(value):
                    pass
                case _:
                    yield f"{module.path}:{node.lineno}: an __init__.py holds only a docstring, imports and __all__"


def literal_names(node: ast.expr | None) -> bool:
    match node:
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return all(isinstance(item, ast.Constant) and isinstance(item.value, str) for item in items)
        case _:
            return False


def typed_markers(root: Path) -> Iterator[str]:
    for package in PACKAGES:
        if not (root / package / "py.typed").is_file():
            yield f"{package}/py.typed:1: missing"


def project_files(root: Path) -> Iterator[Path]:
    """Yield what git tracks or would track; without a repository, everything."""
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(command, check=True, capture_output=True).stdout.decode().split("\0")
        yield from (root / name for name in sorted(set(names)) if name and (root / name).is_file())
    else:
        yield from (file for file in sorted(root.rglob("*")) if file.is_file())


def machine_paths(root: Path) -> Iterator[str]:
    for file in project_files(root):
        content = file.read_bytes()
        if b"\0" in content:
            continue
        for found in MACHINE_PATH.finditer(content):
            line = content.count(b"\n", 0, found.start()) + 1
            yield f"{file.relative_to(root).as_posix()}:{line}: names a path of the machine it was written on"


Rule = Callable[[Path], Iterator[str]]
RULES: tuple[Rule, ...] = (
    layers,
    third_parties,
    purity,
    time_and_chance,
    sizes,
    facades,
    typed_markers,
    machine_paths,
)


def plant(root: Path, files: Mapping[str, str]) -> Path:
    """Write a small lawful project, and `files` over it."""
    lawful = {
        "flashcore/py.typed": "",
        "flashcore/__init__.py": '"""Host."""\n\nfrom flashcore.errors import Oops\n\n__all__ = ["Oops"]\n',
        "flashcore/errors.py": "import enum\n\nclass Oops(Exception): ...\n",
        "flashcore/port.py": "import time\n\nstart = time.monotonic_ns()\n",
        "flashcore/protocol/__init__.py": "from .slip import encode\n\n__all__ = ['encode']\n",
        "flashcore/protocol/slip.py": "from ..errors import Oops\n\ndef encode(): ...\n",
        "flashcore/loader/flash.py": "from flashcore import port, protocol\n",
        "flashcore/ports/pyserial.py": "import serial\n",
        "flashcore/cli/main.py": "import rich\n\nfrom flashcore import Oops\nfrom flashcore.loader import flash\n",
        "simulator/py.typed": "",
        "simulator/rng.py": "from random import Random\n\nstream = Random(1)\n",
        "simulator/chip/rom.py": "import random\n\nfrom simulator import rng\n\ndef f(dice: random.Random): ...\n",
        "simulator/flashers/flashcore.py": "from flashcore.loader import flash\n",
        "simulator/cli/main.py": "import rich\n\nfrom simulator.flashers import flashcore\n",
        "docs/page.md": "network/" + "work/ and www.example.org/" + "work/\n",
    }
    for path, text in (lawful | dict(files)).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize("rule", RULES)
def test_the_project_obeys(rule: Rule) -> None:
    assert list(rule(ROOT)) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_walk_reaches_the_sources_of(package: str) -> None:
    assert f"{package}.cli" in {module.name for module in modules(ROOT)}


def test_each_row_of_the_law_is_about_something_that_exists() -> None:
    names = {module.name for module in modules(ROOT)}
    allowed = {name for row in LAYERS.values() for name in row}
    assert {row for row in LAYERS.keys() | allowed if row not in names} == set()


def test_the_files_searched_for_machine_paths_include_this_one() -> None:
    assert Path(__file__).resolve() in set(project_files(ROOT))


@pytest.mark.parametrize("rule", RULES)
def test_a_lawful_tree_passes(rule: Rule, tmp_path: Path) -> None:
    assert list(rule(plant(tmp_path, {}))) == []


ONLY_IMPORTS = "an __init__.py holds only a docstring, imports and __all__"


@pytest.mark.parametrize(
    ("rule", "path", "text", "found"),
    [
        (layers, "flashcore/errors.py", "import flashcore.port\n", "1: flashcore.errors may not import flashcore.port"),
        (layers, "flashcore/chips/a.py", "x = 1\nimport simulator\n", "2: flashcore.chips may not import simulator"),
        (
            layers,
            "flashcore/protocol/a.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from flashcore.loader import flash\n",
            "3: flashcore.protocol may not import flashcore.loader.flash",
        ),
        (
            layers,
            "flashcore/loader/a.py",
            "def late():\n    from .. import cli\n",
            "2: flashcore.loader may not import flashcore.cli",
        ),
        (
            layers,
            "flashcore/ports/a.py",
            "import importlib\nimportlib.import_module('flashcore.loader')\n",
            "2: flashcore.ports may not import flashcore.loader",
        ),
        (layers, "flashcore/protocol/a.py", "from .. import Oops\n", "1: flashcore.protocol may not import flashcore"),
        (layers, "flashcore/__init__.py", "from . import cli\n", "1: flashcore may not import flashcore.cli"),
        (layers, "flashcore/extra.py", "", "1: flashcore.extra has no row in LAYERS"),
        (
            layers,
            "simulator/board/a.py",
            "from flashcore.loader.flash import x\n",
            "1: simulator.board may not import flashcore.loader.flash",
        ),
        (
            layers,
            "simulator/flashers/other.py",
            "from flashcore import loader\n",
            "1: simulator.flashers may not import flashcore.loader",
        ),
        (layers, "simulator/rng.py", "from simulator import chip\n", "1: simulator.rng may not import simulator.chip"),
        (
            layers,
            "simulator/faults/a.py",
            "from flashcore.chips import esp32\n",
            "1: simulator.faults may not import flashcore.chips",
        ),
        (
            third_parties,
            "flashcore/loader/a.py",
            "\nimport serial.tools\n",
            "2: flashcore may not import third-party serial",
        ),
        (
            purity,
            "flashcore/protocol/a.py",
            "from os import path\n",
            "1: flashcore.protocol is pure and may not import os",
        ),
        (
            purity,
            "simulator/chip/a.py",
            "import logging.handlers\n",
            "1: simulator.chip is pure and may not import logging.handlers",
        ),
        (
            time_and_chance,
            "flashcore/loader/a.py",
            "import time as t\nt.sleep(1)\n",
            "2: time.sleep is not for flashcore.loader.a",
        ),
        (
            time_and_chance,
            "simulator/board/a.py",
            "from time import time\n",
            "1: time.time is not for simulator.board.a",
        ),
        (
            time_and_chance,
            "simulator/rng.py",
            "import time\nx = time.time()\n",
            "2: time.time is not for simulator.rng",
        ),
        (
            time_and_chance,
            "simulator/wire.py",
            "import random\nf(die=random.random)\n",
            "2: random.random is not for simulator.wire",
        ),
        (
            time_and_chance,
            "simulator/wire.py",
            "import random\nrandom.Random(1)\n",
            "2: random.Random is not for simulator.wire",
        ),
        (sizes, "simulator/wire.py", "x = 1\n" * 401, "401: 401 lines, more than 400"),
        (facades, "simulator/chip/__init__.py", '"""Chip."""\n\nSIZE = 4\n', f"3: {ONLY_IMPORTS}"),
        (facades, "simulator/chip/__init__.py", "__all__ = [name for name in dir()]\n", f"1: {ONLY_IMPORTS}"),
        (facades, "simulator/cli/__init__.py", "def __getattr__(name): ...\n", f"1: {ONLY_IMPORTS}"),
        (machine_paths, "docs/a.md", "one\n`cd /" + "work/x`\n", "2: names a path of the machine it was written on"),
    ],
)
def test_a_breach_is_reported(rule: Rule, path: str, text: str, found: str, tmp_path: Path) -> None:
    assert list(rule(plant(tmp_path, {path: text}))) == [f"{path}:{found}"]


def test_a_package_without_its_type_marker_is_reported(tmp_path: Path) -> None:
    (plant(tmp_path, {}) / "simulator" / "py.typed").unlink()
    assert list(typed_markers(tmp_path)) == ["simulator/py.typed:1: missing"]
