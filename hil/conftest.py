"""Boards as fixtures, from the rig that ``--espsim-rig`` names; without one nothing runs.

A board that cannot take part skips each test with the one reason. A board that should answer and does not fails one test, and
skips the others. A port that vanishes fails the test in which it does, and skips what comes after.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from flashcore.errors import FlashcoreError, PortError
from hil.bench import Bench, BoardOutError
from hil.keeper import Keeper, NotPutBackError
from hil.rig import Action, Rig, RigError, load
from tests.conformance import live_limits
from tests.conformance.live_arm import SILENCE_S, LiveArm
from tests.conformance.live_stub import LiveStub
from tests.conformance.rom_probes import OPCODES, PROBES, opcode_id
from tests.conformance.stub_probes import CASES, case_id

RIG = pytest.StashKey[Rig]()
BENCHES = pytest.StashKey[dict[str, Bench]]()

NO_RIG = "no rig is named; to run: pytest hil --espsim-rig FILE"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("espsim")
    group.addoption("--espsim-rig", metavar="FILE", type=Path, help="the boards to work on, see hil/boards.example.toml")
    group.addoption(
        "--espsim-vectors",
        choices=("smoke", "all"),
        default="smoke",
        help="recorded probes to play to each board: a few of each kind, or all that make sense on a live chip, which takes "
        "half an hour (default: smoke)",
    )
    group.addoption(
        "--espsim-silence",
        type=float,
        default=SILENCE_S,
        metavar="SECONDS",
        help=f"how long nothing must come before an answer is complete (default: {SILENCE_S:g})",
    )


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--espsim-rig")
    if path is None:
        return
    try:
        rig = load(path)
    except RigError as error:
        raise pytest.UsageError(str(error)) from None
    if getattr(config.option, "numprocesses", None):
        raise pytest.UsageError("a board is for one process at a time: leave -n out")
    # pyserial's client for RFC 2217 uses names of the thread module that are going away.
    config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning:serial.rfc2217")
    config.stash[RIG] = rig
    config.stash[BENCHES] = {board.name: Bench(board) for board in rig.boards}
    with suppress(ValueError):
        # A polite kill ends the run as Ctrl-C does, so that what was saved is put back.
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    rig = metafunc.config.stash.get(RIG, None)
    if "bench" in metafunc.fixturenames:
        boards = [pytest.param(board.name, id=board.name) for board in rig.boards] if rig else [_without_rig()]
        metafunc.parametrize("bench", boards, indirect=True, scope="session")
    smoke = metafunc.config.getoption("--espsim-vectors") == "smoke"
    if "probe" in metafunc.fixturenames:
        probes = [
            (f"{file}-{probe['name']}", probe) for file, probe in PROBES if not smoke or probe["name"] in live_limits.SMOKE
        ]
        if rig is None:
            probes = probes[:1]
        metafunc.parametrize("probe", [probe for _, probe in probes], ids=[name for name, _ in probes])
    if "row" in metafunc.fixturenames:
        rows = [row for row in OPCODES if not smoke or opcode_id(row) in live_limits.SMOKE]
        if rig is None:
            rows = rows[:1]
        metafunc.parametrize("row", rows, ids=[opcode_id(row) for row in rows])
    if "case" in metafunc.fixturenames:
        cases = [case for case in CASES if not smoke or case_id(case) in live_limits.SMOKE]
        metafunc.parametrize("case", cases if rig else cases[:1], ids=case_id)


def _without_rig() -> object:
    return pytest.param(None, marks=pytest.mark.skip(reason=NO_RIG), id="no-rig")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Identity first; and skip, with the reason, what cannot be played to a board."""
    items.sort(key=lambda item: item.path.name != "test_identity.py")
    for item in items:
        params: dict[str, Any] = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        if params.get("bench") is None:
            continue
        silicon = not config.stash[BENCHES][params["bench"]].board.is_recording
        reason = ""
        if "probe" in params:
            reason = live_limits.why_not_probe(params["probe"], silicon=silicon)
        if "row" in params:
            reason = live_limits.why_not_opcode(params["row"], silicon=silicon)
        if "case" in params:
            reason = live_limits.why_not_stub(*params["case"], silicon=silicon)
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Say in one line what takes a board out of the game in the middle of a test."""
    try:
        return (yield)
    except BoardOutError as out:
        pytest.skip(str(out))
    except PortError as error:
        bench = getattr(item, "funcargs", {}).get("bench")
        if isinstance(bench, Bench):
            bench.fail(error)
            bench.failure = None
        pytest.fail(f"the port is gone: {error.message}", pytrace=False)


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Return a board of the rig; it is opened when it is needed, and restarted at the end."""
    bench = request.config.stash[BENCHES][request.param]
    yield bench
    bench.restart()


@pytest.fixture
def board(bench: Bench) -> Bench:
    """Return a board of the rig that is known to be the right one."""
    try:
        bench.identity()
    except BoardOutError as out:
        if bench.failure is None:
            pytest.skip(str(out))
        hint, bench.failure = bench.failure.hint, None
        pytest.fail(f"{out}; {hint}" if hint else str(out), pytrace=False)
    return bench


@pytest.fixture(scope="module")
def open_arm(bench: Bench, request: pytest.FixtureRequest) -> Iterator[LiveArm | None]:
    """Keep the port open while recorded probes are played, as opening takes long on some links."""
    with ExitStack() as stack:
        try:
            identity = bench.identity()
            port = stack.enter_context(bench.port()) if identity.has_lines else None
        except BoardOutError:
            port = None
        silence_s = request.config.getoption("--espsim-silence")
        yield LiveArm(port, silicon=not bench.board.is_recording, silence_s=silence_s) if port is not None else None


@pytest.fixture
def arm(board: Bench, open_arm: LiveArm | None) -> LiveArm:
    """Return the board as what recorded probes are played to."""
    if open_arm is None:
        pytest.skip(f"{board.board.name}: needs a fresh chip, and {board.board.port} has no DTR and RTS to restart it with")
    return open_arm


@pytest.fixture
def stub_arm(arm: LiveArm) -> LiveStub:
    """Return the board as what recorded probes of the stubs are played to."""
    return LiveStub(arm)


@pytest.fixture(scope="module")
def open_region(bench: Bench, request: pytest.FixtureRequest) -> Iterator[bytes | None]:
    """Save what the region holds, and put it back after the last test that may change it."""
    span, rig = bench.board.region, request.config.stash[RIG]
    if span is None or not {Action.READ, Action.WRITE} <= bench.board.allowed:
        yield None
        return
    mac = bench.board.mac.replace(":", "")
    copy = rig.path.with_name(f"{rig.path.name}.saved") / f"{mac}-{span.start:x}-{span.size:x}.bin"
    with ExitStack() as stack:
        data = None
        try:
            bench.identity()
            data = stack.enter_context(Keeper(bench.flasher, span, copy, port=bench.board.port).kept())
        except BoardOutError:
            pass
        except FlashcoreError as error:
            bench.fail(error)
        except NotPutBackError as error:
            bench.out = f"{bench.board.name}: {error}"
            pytest.fail(bench.out, pytrace=False)
        yield data
        try:
            stack.close()
        except NotPutBackError as error:
            pytest.fail(f"{bench.board.name}: {error}", pytrace=False)


@pytest.fixture
def saved(board: Bench, open_region: bytes | None) -> bytes:
    """Return what the board's region held before the tests, which may change it."""
    try:
        board.require(Action.READ, Action.WRITE)
    except BoardOutError as out:
        pytest.skip(str(out))
    assert open_region is not None, "a region that may be written was saved"
    return open_region
