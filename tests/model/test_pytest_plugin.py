"""The pytest plugin, as a user's tests see it: each run here is a pytest of its own, with warnings as errors."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

HEAD = """
import os
import threading

import pytest
import serial

from flashcore.image import Region
from flashcore.loader import Flasher, Options

DATA = bytes(range(256)) * 8

def flash(port, data=DATA):
    with Flasher.open(port, Options(use_stub=False)) as flasher:
        flasher.write([Region(offset=0x10000, data=data)], force=True)
"""


def run(pytester: pytest.Pytester, text: str, *options: str, name: str = "test_it.py") -> pytest.RunResult:
    pytester.makepyfile(**{name.removesuffix(".py"): HEAD + text})
    return pytester.runpytest_subprocess("-W", "error", "--strict-markers", "-p", "no:cacheprovider", *options)


def test_a_board_is_flashed_in_virtual_time(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.espsim(board="ttgo-lora32-v1", fault="d2h:nth_frame(SYNC,2):drop")
def test_flash(espsim_board, espsim_port):
    flash(espsim_port)
    assert espsim_board.flash[0x10000:0x10000 + len(DATA)] == DATA
    assert espsim_board.scenario.board == "ttgo-lora32-v1"
    assert espsim_board.fired("d2h:nth_frame(SYNC,2):drop") == 1

def test_another_board_is_blank(espsim_board):
    assert set(espsim_board.flash) == {0xFF}

def test_none_is_needed():
    pass
""",
    )
    result.assert_outcomes(passed=3)
    result.stdout.re_match_lines([r"espsim: 2 boards, \d+\.\d{3} s on their clocks"])


def test_a_link_serves_a_board_in_real_time_and_leaves_nothing(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
from flashcore.loader.connect import After, Before
from flashcore.ports import open_port

def left():
    return threading.active_count(), len(os.listdir("/proc/self/fd"))

@pytest.fixture(scope="module", autouse=True)
def nothing_is_left():
    before = left()
    yield
    assert left() == before

@pytest.mark.espsim(pace="max")
@pytest.mark.parametrize("espsim_url", ["rfc2217", "tcp", "pty"], indirect=True)
def test_flash(espsim_url, espsim_board):
    by_hand = {} if "rfc2217" in espsim_url else {"before": Before.NO_RESET, "after": After.NO_RESET}
    with Flasher.open(open_port(espsim_url), Options(use_stub=False, **by_hand)) as flasher:
        flasher.write([Region(offset=0x10000, data=DATA)], force=True)
    assert espsim_board.flash[0x10000:0x10000 + len(DATA)] == DATA

def test_the_default_has_modem_lines(espsim_url):
    assert espsim_url.startswith("rfc2217://127.0.0.1:")

@pytest.mark.espsim(link="virtual")
def test_a_library_gets_virtual_time(espsim_url, espsim_board):
    import time
    start = time.monotonic()
    time.sleep(1000)
    assert time.monotonic() - start == 1000
    assert espsim_board.now_s >= 1000
    with serial.serial_for_url(espsim_url, timeout=1) as port:
        assert port.in_waiting >= 0

def test_real_time_is_back():
    import time
    assert not hasattr(time.sleep, "__self__") or "VirtualTime" not in repr(time.sleep.__self__)
""",
    )
    result.assert_outcomes(passed=6)


def test_a_fleet_is_the_whole_computer_for_a_host_and_for_pyserial(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
from flashcore import reach
from serial.tools.list_ports import comports

@pytest.mark.espsim(fault="wrong-port")
def test_it_is_a_host(espsim_fleet, espsim_board):
    with reach(espsim_fleet, "auto", Options(use_stub=False, boot_check=False)) as flasher:
        flasher.write([Region(offset=0x10000, data=DATA)], force=True)
    assert espsim_board.flash[0x10000:0x10000 + len(DATA)] == DATA
    assert espsim_fleet.still_open == []

@pytest.mark.espsim(fault="wrong-port")
def test_pyserial_lists_it(espsim_fleet):
    assert len(comports()) == 6

def test_a_board_alone_is_on_one_port(espsim_fleet):
    assert [port.device for port in comports()] == [port.device for port in espsim_fleet.ports()] == ["/dev/ttyUSB0"]

@pytest.mark.espsim(fault="usb:at(1):disconnect(back=1,name=/dev/ttyUSB3)")
def test_devices_come_and_go(espsim_fleet, espsim_board):
    port = serial.Serial("/dev/ttyUSB0", timeout=3)
    with pytest.raises(serial.SerialException):
        port.read(1 << 20)
    espsim_board.run_for(1)
    assert [port.device for port in comports()] == ["/dev/ttyUSB3"]

@pytest.mark.espsim(fault="port:always:busy")
def test_a_port_may_be_refused(espsim_fleet):
    with pytest.raises(serial.SerialException, match="busy"):
        serial.Serial("/dev/ttyUSB0")

def test_nothing_of_it_is_left():
    assert "/dev/ttyUSB0" not in [port.device for port in comports()]
""",
    )
    result.assert_outcomes(passed=6)


def test_a_wrong_marker_is_an_error_of_collection_that_names_test_field_and_hint(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.espsim(bord="x")
def test_field(espsim_port): ...

@pytest.mark.espsim(board="ttgo-lora32-v3")
def test_board(): ...

@pytest.mark.espsim(fault=["d2h:always:drop", "d2h:nth_frme(SYNC,2):drop"])
def test_fault(espsim_port): ...

@pytest.mark.espsim(fault="silent-lime")
def test_preset(espsim_port): ...

@pytest.mark.espsim(fault=3)
def test_type(espsim_port): ...

@pytest.mark.espsim(seed=True)
def test_bool(espsim_port): ...

@pytest.mark.espsim(flash="nothing.bin")
def test_flash(espsim_port): ...

@pytest.mark.espsim("ttgo-lora32-v1")
def test_position(espsim_port): ...

@pytest.mark.espsim(must_fire=False)
@pytest.mark.parametrize("espsim_url", ["udp"], indirect=True)
def test_link(espsim_url): ...

@pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.espsim(firmware="sofrf"))])
def test_parameter(n, espsim_port): ...
""",
    )
    result.assert_outcomes(errors=1)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    for line in (
        r"test_it\.py::test_field: espsim\(bord=\.\.\.\): there is no field 'bord'",
        r"    hint: did you mean 'board'\?",
        r"test_it\.py::test_board: espsim\(board=\.\.\.\): there is no board 'ttgo-lora32-v3'; expected one of: .*",
        r"    hint: did you mean ttgo-lora32-v1\?",
        r"test_it\.py::test_fault: espsim\(fault=\.\.\.\): .*unknown trigger 'nth_frme'",
        r"    hint: did you mean 'nth_frame'\?",
        r"test_it\.py::test_preset: espsim\(fault=\.\.\.\): unknown fault 'silent-lime'",
        r"    hint: did you mean 'silent-line'\?",
        r"test_it\.py::test_type: espsim\(fault=\.\.\.\): must be the name or text of a fault, or a list of such, not 3",
        r"test_it\.py::test_bool: espsim\(seed=\.\.\.\): must be a whole number, not True",
        r"test_it\.py::test_flash: espsim\(flash=\.\.\.\): no flash image at .*nothing\.bin",
        r"test_it\.py::test_position: espsim: takes fields by name only, not 'ttgo-lora32-v1'",
        r"test_it\.py::test_link\[udp\]: espsim\(link=\.\.\.\): there is no link 'udp'",
        r"test_it\.py::test_parameter\[2\]: espsim\(firmware=\.\.\.\): there is no firmware profile 'sofrf'.*",
    ):
        result.stdout.re_match_lines([line])


def test_the_nearest_marker_wins_field_by_field(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
pytestmark = pytest.mark.espsim(board="ttgo-lora32-v1", seed=1)

@pytest.mark.espsim(seed=2)
class TestIt:
    def test_class(self, espsim_board):
        assert (espsim_board.scenario.board, espsim_board.scenario.seed) == ("ttgo-lora32-v1", 2)

    @pytest.mark.espsim(board="heltec-wifi-lora-32-v2")
    def test_function(self, espsim_board):
        assert (espsim_board.scenario.board, espsim_board.scenario.seed) == ("heltec-wifi-lora-32-v2", 2)

@pytest.mark.parametrize("espsim_board", ["esp32-pico-d4"], indirect=True)
def test_parameter(espsim_board):
    assert (espsim_board.scenario.board, espsim_board.scenario.seed) == ("esp32-pico-d4", 1)

@pytest.mark.parametrize("espsim_url", ["/dev/ttyUSB0"])
def test_a_fixture_that_is_put_aside_is_none_of_ours(espsim_url):
    assert espsim_url == "/dev/ttyUSB0"
""",
    )
    result.assert_outcomes(passed=4)


def test_more_boards_can_be_plugged_into_the_computer(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
from serial.tools.list_ports import comports
from simulator.testing import plug

def test_ports(espsim_fleet, espsim_board):
    other = plug(espsim_board, "ttgo-lora32-v1")
    plug(espsim_board, "gps")
    assert len(comports()) == len(espsim_fleet.ports()) == 3
    flash(espsim_fleet.open(other.port))
    assert other.flash[0x10000:0x10000 + len(DATA)] == DATA
    assert set(espsim_board.flash) == {0xFF}
""",
    )
    result.assert_outcomes(passed=1)


FAILING = """
@pytest.mark.espsim(fault=["d2h:nth_frame(SYNC,2):drop", "d2h:nth_frame(FLASH_DATA,9):drop"])
def test_fails(espsim_board, espsim_port):
    flash(espsim_port)
    assert espsim_board.scenario.seed < 0
"""


def test_a_failure_is_reported_with_all_that_repeats_it(pytester: pytest.Pytester) -> None:
    result = run(pytester, FAILING, "--espsim-seed", "7")
    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines(
        [
            r"espsim: seed 7",
            r"-+ espsim -+",
            r"board:  esp32-devkitc, seed 7",
            r"time:   \d+\.\d{6} s on the board's clock",
            r"plan:   d2h:nth_frame\(SYNC,2\):drop  \(struck once\)",
            r"        d2h:nth_frame\(FLASH_DATA,9\):drop  \(struck never\)",
            r"struck: +\d+\.\d{6} < SYNC answer.*\[lost by d2h:nth_frame\(SYNC,2\):drop\]",
            r"frames: .* [<>] .*",
            r" +\d+\.\d{6} > FLASH_DATA #1: 1024 bytes",
            r" +\d+\.\d{6} < SPI_FLASH_MD5 answer: ok, 32 bytes",
            r"edges: +\d+\.\d{6} \| DTR asserted, RTS asserted",
            r"repeat: .*",
        ]
    )
    repeat = re.search(r"^repeat: (.*)$", result.stdout.str(), re.MULTILINE)
    assert repeat is not None
    words = shlex.split(repeat[1])
    assert words == ["python", "-m", "pytest", "test_it.py::test_fails", "--espsim-seed", "7"]
    again = pytester.run(sys.executable, *words[1:])
    assert _section(again.stdout.str()) == _section(result.stdout.str())


def test_the_command_is_right_in_the_folder_where_pytest_was_started(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]")
    pytester.makepyfile(**{"sub/test_it": HEAD + FAILING})
    monkeypatch.chdir(pytester.path / "sub")
    result = pytester.runpytest_subprocess()
    result.stdout.fnmatch_lines(["repeat: python -m pytest test_it.py::test_fails --espsim-seed 0"])


def _section(text: str) -> str:
    start = text.index("board:  esp32-devkitc")
    return text[start : text.index("repeat: ", start)]


def test_a_fault_that_never_struck_fails_a_test_that_passed(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
NEVER = "d2h:nth_frame(1000):drop"

@pytest.mark.espsim(fault=[NEVER, "d2h:nth_frame(SYNC,1):delay(0.01)"])
def test_idle(espsim_port):
    flash(espsim_port)

@pytest.mark.espsim(fault=NEVER)
def test_without_board(): ...

@pytest.mark.espsim(fault=NEVER, must_fire=False)
def test_may_be_idle(espsim_port): ...

@pytest.mark.espsim(fault=NEVER)
def test_fails_anyway(espsim_port):
    assert not espsim_port

@pytest.mark.espsim(fault=NEVER)
@pytest.mark.xfail(strict=True)
def test_expected(espsim_port):
    assert not espsim_port

@pytest.mark.espsim(fault=NEVER)
def test_skipped(espsim_port):
    pytest.skip("not now")
""",
    )
    result.assert_outcomes(passed=3, failed=1, errors=2, xfailed=1, skipped=1)
    result.stdout.re_match_lines(
        [
            r"_+ ERROR at teardown of test_idle _+",
            r"the test passed, but this fault of its plan never struck: d2h:nth_frame\(1000\):drop",
            r"hint: change the fault so that it strikes, or say espsim\(must_fire=False\)",
            r"plan:   d2h:nth_frame\(1000\):drop  \(struck never\)",
            r"_+ ERROR at teardown of test_without_board _+",
        ]
    )


def test_the_seed_comes_from_the_marker_or_the_command_line_or_the_ini_file(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nespsim_seed = 3\nespsim_board = ttgo-lora32-v1\nespsim_link = tcp\n")
    text = """
def test_default(espsim_board):
    assert (espsim_board.scenario.seed, espsim_board.scenario.board) == (SEED, "ttgo-lora32-v1")

@pytest.mark.espsim(seed=9)
def test_marker(espsim_board):
    assert espsim_board.scenario.seed == 9

def test_link(espsim_url):
    assert espsim_url.startswith("socket://")
"""
    run(pytester, "SEED = 3\n" + text).assert_outcomes(passed=3)
    run(pytester, "SEED = 5\n" + text, "--espsim-seed", "5").assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("ini", "message"),
    [
        ("espsim_seed = many", "espsim_seed must be a whole number, not 'many'"),
        ("espsim_board = ttgo-lora32-v3", "in the configuration, espsim(board=...): there is no board 'ttgo-lora32-v3'"),
        ("espsim_link = udp", "in the configuration, espsim(link=...): there is no link 'udp'"),
        ("espsim_transcripts = test_it.py", "cannot make the folder for transcripts"),
    ],
)
def test_a_wrong_configuration_is_an_error_of_usage(pytester: pytest.Pytester, ini: str, message: str) -> None:
    pytester.makeini(f"[pytest]\n{ini}\n")
    result = run(pytester, "def test_nothing(): ...")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: {message}" in result.stderr.str()
    assert "Traceback" not in result.stderr.str()


TWO = (
    FAILING
    + """
def test_passes(espsim_port):
    flash(espsim_port)

@pytest.mark.parametrize("name", ["a/b", "a b"])
def test_names(name, espsim_port): ...
"""
)


def test_workers_write_the_same_transcripts_and_reports_as_one_process(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    alone = run(pytester, TWO, "--espsim-transcripts", "alone")
    together = run(pytester, TWO, "--espsim-transcripts", "together", "-n", "2")
    for result in (alone, together):
        result.assert_outcomes(passed=3, failed=1)
        result.stdout.re_match_lines([r"espsim: 4 boards, .*"])
    assert _section(alone.stdout.str()) == _section(together.stdout.str())
    files = {path.name: path.read_bytes() for path in (pytester.path / "alone").iterdir()}
    assert len(files) == 4
    assert files == {path.name: path.read_bytes() for path in (pytester.path / "together").iterdir()}
    passing = next(text for name, text in files.items() if "test_passes" in name)
    assert {json.loads(line)["kind"] for line in passing.splitlines()} >= {"h2d", "d2h", "lines", "open", "close"}


def test_marker_fixtures_and_options_explain_themselves(pytester: pytest.Pytester) -> None:
    run(pytester, "", "--markers").stdout.fnmatch_lines(["@pytest.mark.espsim(board=..., fault=..., *"])
    for name in ("espsim_board", "espsim_port", "espsim_url", "espsim_fleet"):
        run(pytester, "", "--fixtures").stdout.re_match_lines([rf"{name} -- .*", r"    .*espsim_board|    .*board.*"])
    run(pytester, "", "--help").stdout.fnmatch_lines(["*--espsim-seed=N*", "*--espsim-transcripts=DIR*", "*espsim_seed*"])


def test_nothing_of_the_simulator_is_loaded_before_a_test_wants_it() -> None:
    code = """if True:
        import sys, pytest
        before = set(sys.modules)
        import simulator.pytest_plugin
        print(*sorted(set(sys.modules) - before))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["simulator", "simulator.pytest_plugin"]


def test_a_session_without_boards_loads_nothing_either(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing():
            own = {name for name in sys.modules if name.partition(".")[0] in ("simulator", "flashcore", "serial")}
            assert own == {"simulator", "simulator.pytest_plugin"}
        """
    )
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=1)


def test_transcript_names_are_legal_and_tell_tests_apart() -> None:
    from simulator.plugin.desk import transcript_name

    names = {transcript_name(text) for text in ("a.py::t[x/y]", "a.py::t[x y]", "a.py::t[x:y]", "a.py::t[" + "x" * 300 + "]")}
    assert len(names) == 4
    assert all(re.fullmatch(r"[A-Za-z0-9._-]{1,150}", name) and Path(name).name == name for name in names)
