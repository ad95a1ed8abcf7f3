"""The arms as fixtures: the model, or with ``--espsim-arm URL`` whatever chip is behind that port.

pytest tests/conformance --espsim-arm /dev/ttyUSB0
pytest tests/conformance --espsim-arm socket://localhost:5555 --espsim-arm-is recording --espsim-arm-reset 'CMD'
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from flashcore.errors import PortError
from flashcore.ports import open_port
from tests.conformance import live_limits, summary
from tests.conformance.arms import ModelArm
from tests.conformance.live_arm import SILENCE_S, LiveArm
from tests.conformance.live_stub import LiveStub
from tests.conformance.stub_arm import StubModel
from tests.conformance.stub_probes import StubPlayer

HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("espsim")
    group.addoption("--espsim-arm", metavar="URL", help="play the recorded probes to the chip behind this port")
    group.addoption(
        "--espsim-arm-is",
        choices=("silicon", "recording"),
        default="silicon",
        help="what that chip is: silicon or a model of it, or something with the conditions of the recording, such as an "
        "emulator with the real ROM (default: silicon)",
    )
    group.addoption(
        "--espsim-arm-silence",
        type=float,
        default=SILENCE_S,
        metavar="SECONDS",
        help=f"how long nothing must come before an answer is complete (default: {SILENCE_S:g})",
    )
    group.addoption(
        "--espsim-arm-reset",
        default="",
        metavar="CMD",
        help="for ports without DTR and RTS: shell command that makes the chip start anew into download mode",
    )
    group.addoption(
        "--espsim-arm-scratch",
        action="store_true",
        help="that chip's flash of 4 MB may be ERASED and written: play the probes that touch it too (recording only)",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--espsim-arm"):
        # pyserial's client for RFC 2217 uses names of the thread module that are going away.
        config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning:serial.rfc2217")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Name the group of each vector; skip, with the reason, what cannot be played to a live chip."""
    for item in items:
        group = summary.group(item) if HERE in item.path.parents else ""
        if group:
            item.user_properties.append((summary.VECTORS, group))
    if not config.getoption("--espsim-arm"):
        return
    silicon, scratch = config.getoption("--espsim-arm-is") == "silicon", config.getoption("--espsim-arm-scratch")
    for item in items:
        if HERE in item.path.parents:
            reason = _why_not(item, silicon=silicon, scratch=scratch)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


def _why_not(item: pytest.Item, *, silicon: bool, scratch: bool) -> str:
    callspec = getattr(item, "callspec", None)
    if "arm" not in getattr(item, "fixturenames", ()) or callspec is None:
        return "is about the model"
    match callspec.params:
        case {"probe": probe}:
            return live_limits.why_not_probe(probe, silicon=silicon, scratch=scratch)
        case {"row": row}:
            return live_limits.why_not_opcode(row, silicon=silicon, scratch=scratch)
        case {"case": (file, probe)}:
            return live_limits.why_not_stub(file, probe, silicon=silicon, scratch=scratch)
    return "needs deaf moments, which cannot be chosen on a live chip"


def pytest_exception_interact(node: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """End the run when the live chip's port is gone: one error says it all."""
    if isinstance(node, pytest.Item) and call.excinfo is not None and isinstance(call.excinfo.value, PortError):
        node.session.shouldstop = f"the port is gone: {call.excinfo.value.message}"


@pytest.fixture(scope="session")
def arm(request: pytest.FixtureRequest) -> Iterator[ModelArm | LiveArm]:
    """Return what the vectors are played to."""
    config = request.config
    url = config.getoption("--espsim-arm")
    if not url:
        yield ModelArm()
        return
    try:
        port = open_port(url)
    except PortError as error:
        pytest.exit(f"{error.message}; {error.hint}" if error.hint else error.message, returncode=pytest.ExitCode.USAGE_ERROR)
    live = LiveArm(
        port,
        silicon=config.getoption("--espsim-arm-is") == "silicon",
        silence_s=config.getoption("--espsim-arm-silence"),
        reset_command=config.getoption("--espsim-arm-reset"),
        scratch=partial(open_port, url) if config.getoption("--espsim-arm-scratch") else None,
    )
    try:
        if not live.can_reset:
            pytest.skip(
                f"each probe starts from a fresh chip, and {url} has no DTR and RTS to restart it with: give --espsim-arm-reset"
            )
        yield live
    finally:
        live.port.close()


@pytest.fixture(scope="session")
def stub_arm(arm: ModelArm | LiveArm) -> StubPlayer:
    """Return what the stubs' vectors are played to."""
    return LiveStub(arm) if isinstance(arm, LiveArm) else StubModel()
