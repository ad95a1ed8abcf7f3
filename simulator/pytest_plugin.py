"""The pytest plugin ``espsim``: a virtual board for each test that asks for one.

Hooks and fixtures only; what they do is in `simulator.plugin` and `simulator.testing`, which are loaded when the first test
wants a board, so that a session without any pays nothing.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from simulator.host.virtual_host import VirtualHost
    from simulator.links.virtual import VirtualPort
    from simulator.plugin.desk import Desk
    from simulator.plugin.wish import Wish
    from simulator.testing import VirtualBoard

MARKER = "espsim"
_DESK = pytest.StashKey["Desk"]()
_WISH = pytest.StashKey["Wish"]()
_ON_LINK = pytest.StashKey[bool]()
_PASSED = pytest.StashKey[bool]()
_VIRTUAL_S = "espsim_virtual_s"
_DEFAULTS = ("board", "link", "pace")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and the ini keys."""
    group = parser.getgroup("espsim", "virtual ESP32 boards")
    group.addoption("--espsim-seed", type=int, metavar="N", help="Seed of every board whose test names none (default: 0).")
    group.addoption("--espsim-transcripts", metavar="DIR", help="Write each board's events to a file of its own in DIR.")
    parser.addini("espsim_seed", "Seed of every board whose test names none; --espsim-seed comes first.", default="0")
    parser.addini("espsim_transcripts", "Folder for transcripts, from the folder of the ini file.", default="")
    for name, text in zip(_DEFAULTS, ("Board", "Link", "Pace of the board on a link"), strict=True):
        parser.addini(f"espsim_{name}", f"{text} of every test that names none.", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and check what was configured."""
    config.addinivalue_line(
        "markers",
        "espsim(board=..., fault=..., seed=..., firmware=..., flash=..., download=..., link=..., pace=..., must_fire=True): "
        "the board of this test, what goes wrong with it, and how it is reached; fault is a name or text of a fault, or a list",
    )
    _check_configuration(config)
    folder = _transcripts(config)
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise pytest.UsageError(f"cannot make the folder for transcripts {folder}: {error.strerror}") from error


def pytest_report_header(config: pytest.Config) -> str | None:
    """Name the seed if one was asked for."""
    seed = config.getoption("--espsim-seed")
    return None if seed is None else f"espsim: seed {seed}"


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a wrong marker into an error of collection that names test, field and hint."""
    report = yield
    problems: list[str] = []
    for item in report.result or ():
        if isinstance(item, pytest.Function):
            if "espsim_url" in item.fixturenames:
                # Of pyserial's client for RFC 2217, which calls what is deprecated; not of the test.
                item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning:serial.rfc2217"))
            if item.get_closest_marker(MARKER) or _parameters(item):
                problems += _problems(item)
    if problems:
        report.outcome, report.longrepr, report.result = "failed", "\n".join(problems), []
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say how long a board lived, and show what happened to that of a failed test."""
    desk = item.stash.get(_DESK, None)
    if desk is not None and call.when == "call":
        item.user_properties.append((_VIRTUAL_S, round(desk.board.now_s, 6)))
    report = yield
    if report.when == "call":
        item.stash[_PASSED] = report.passed and not hasattr(report, "wasxfail")
    if desk is not None and report.failed:
        from simulator.plugin.desk import repeat_command

        report.sections.append(("espsim", desk.section(repeat_command(_from_here(item), desk.wish.seed))))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Write the transcript; fail a test that passed although its faults never struck."""
    desk = None
    try:
        yield
    finally:
        desk, folder = item.stash.get(_DESK, None), _transcripts(item.config)
        if desk is not None and folder is not None:
            desk.write_transcript(folder, item.nodeid)
    if not item.stash.get(_PASSED, False):
        return
    if desk is not None:
        idle = desk.idle_faults() if desk.wish.must_fire else []
    else:
        idle = [fault for marker in item.own_markers if marker.name == MARKER for fault in _planned_by(marker)]
    if idle:
        pytest.fail(
            f"the test passed, but this fault of its plan never struck: {', '.join(idle)}\n"
            "hint: change the fault so that it strikes, or say espsim(must_fire=False)",
            pytrace=False,
        )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much virtual time the tests took."""
    lives = [
        float(value)
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == _VIRTUAL_S
    ]
    if lives:
        terminalreporter.write_line(f"espsim: {len(lives)} boards, {sum(lives):.3f} s on their clocks")


@pytest.fixture
def espsim_board(request: pytest.FixtureRequest) -> VirtualBoard:
    """The virtual board of this test: flash, buttons, faults, events. See the marker espsim."""
    return _desk(request).board


@pytest.fixture
def espsim_port(espsim_board: VirtualBoard) -> Iterator[VirtualPort]:
    """A flashcore.port.Port that leads to espsim_board in virtual time, open."""
    port = espsim_board.port()
    yield port
    port.close()


@pytest.fixture
def espsim_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A port that leads to espsim_board for any program: RFC 2217 by default, or as espsim(link=...) says; gone afterwards."""
    request.node.stash[_ON_LINK] = True
    board: VirtualBoard = request.getfixturevalue("espsim_board")
    wish = request.node.stash[_DESK].wish
    from simulator.links.pump import Pace
    from simulator.plugin.wish import VIRTUAL
    from simulator.testing import LiveLink, plugged_in
    from simulator.testing.live_link import Link

    if wish.link == VIRTUAL:
        with plugged_in(board.world.host) as url:
            yield url
    else:
        with LiveLink(board.world.device, Link(wish.link), pace=Pace(wish.pace)) as live:
            yield live.url


@pytest.fixture
def espsim_fleet(espsim_board: VirtualBoard) -> Iterator[VirtualHost]:
    """The computer that the board is plugged into, with all its ports and USB devices, as a flashcore.Host; and, while the test
    runs, all that pyserial lists and opens in this process, in virtual time."""
    from simulator.testing import plugged_in

    host = espsim_board.world.host
    with plugged_in(host):
        yield host
    host.close_all()


def _from_here(item: pytest.Item) -> str:
    """Return the id of `item` with a path that is right in the folder where pytest was started."""
    path, colons, names = item.nodeid.partition("::")
    return os.path.relpath(item.config.rootpath / path, item.config.invocation_params.dir) + colons + names


def _desk(request: pytest.FixtureRequest) -> Desk:
    from simulator.plugin.desk import Desk

    item: pytest.Function = request.node
    if _WISH not in item.stash:
        item.stash[_WISH] = _wish(item)
    desk = Desk(item.stash[_WISH], on_link=item.stash.get(_ON_LINK, False))
    item.stash[_DESK] = desk
    return desk


def _problems(item: pytest.Function) -> Iterator[str]:
    from flashcore.errors import FlashcoreError

    try:
        item.stash[_WISH] = _wish(item)
    except FlashcoreError as error:
        yield f"{item.nodeid}: {error.message}" + (f"\n    hint: {error.hint}" if error.hint else "")


def _wish(item: pytest.Function) -> Wish:
    from simulator.plugin.wish import WishError, wish

    given = [_configured(item.config)]
    for marker in reversed(list(item.iter_markers(MARKER))):
        if marker.args:
            raise WishError("", f"takes fields by name only, not {marker.args[0]!r}", hint="write espsim(board=..., fault=...)")
        given.append(dict(marker.kwargs))
    return wish([*given, _parameters(item)], item.path.parent)


def _parameters(item: pytest.Function) -> dict[str, object]:
    """Return what indirect parameters say: ``espsim_board`` names a board, ``espsim_url`` a link."""
    found: dict[str, object] = {}
    for name, field in (("espsim_board", "board"), ("espsim_url", "link")):
        for marker in item.iter_markers("parametrize"):
            indirect = marker.kwargs.get("indirect", marker.args[2] if len(marker.args) > 2 else False)
            if (
                name in item.callspec.params
                and not item.get_closest_marker("skip")
                and (indirect is True or (indirect and name in indirect))
            ):
                found[field] = item.callspec.params[name]
    return found


def _check_configuration(config: pytest.Config) -> None:
    seed = config.getini("espsim_seed")
    try:
        int(seed)
    except ValueError:
        raise pytest.UsageError(f"espsim_seed must be a whole number, not {seed!r}") from None
    if not any(config.getini(f"espsim_{name}") for name in _DEFAULTS):
        return
    from flashcore.errors import FlashcoreError
    from simulator.plugin.wish import wish

    try:
        wish([_configured(config)], config.rootpath)
    except FlashcoreError as error:
        hint = f"; {error.hint}" if error.hint else ""
        raise pytest.UsageError(f"in the configuration, {error.message}{hint}") from error


def _configured(config: pytest.Config) -> dict[str, object]:
    """Return the fields that the command line and the ini file give to every test."""
    seed = config.getoption("--espsim-seed")
    values: dict[str, object] = {"seed": int(config.getini("espsim_seed")) if seed is None else seed}
    return values | {name: value for name in _DEFAULTS if (value := config.getini(f"espsim_{name}"))}


def _planned_by(marker: pytest.Mark) -> list[str]:
    faults = marker.kwargs.get("fault", ())
    if not marker.kwargs.get("must_fire", True):
        return []
    return [faults] if isinstance(faults, str) else list(faults)


def _transcripts(config: pytest.Config) -> Path | None:
    from_command_line: str | None = config.getoption("--espsim-transcripts")
    from_ini: str = config.getini("espsim_transcripts")
    if from_command_line:
        return config.invocation_params.dir / from_command_line
    return config.rootpath / from_ini if from_ini else None
