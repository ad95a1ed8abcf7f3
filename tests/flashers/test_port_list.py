"""The list of ports in a client's own interpreter: our port with its USB identity, no other, and nothing else is changed."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.flashers.job import Request
from simulator.flashers.real_run import Extras, run_pty
from simulator.links.pump import Pace
from simulator.preload import environment, port_list
from simulator.preload.port_list import ListedPort
from simulator.scenario import Scenario

ONE = ListedPort("/dev/pts/77", 0x1A86, 0x55D4, "5323005045", "", "USB Single Serial")
OTHER = ListedPort("/dev/pts/78", 0x10C4, 0xEA60, "", "Silicon Labs", "CP2102")
SHOW = "for p in comports(): print(p.device, p.name, p.vid, p.pid, p.serial_number, p.manufacturer, p.product, p.hwid, sep='|')"
SHOWN = [
    "/dev/pts/77|77|6790|21972|5323005045||USB Single Serial|USB VID:PID=1A86:55D4 SER=5323005045",
    "/dev/pts/78|78|4292|60000|None|Silicon Labs|CP2102|USB VID:PID=10C4:EA60",
]


def python(*words: str, **variables: str) -> str:
    """Run Python in the environment of a client; return what it says on both streams."""
    client = {**os.environ, **environment.for_list([ONE, OTHER]), **variables}
    done = subprocess.run([sys.executable, *words], env=client, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


@pytest.mark.parametrize("source", ["serial.tools.list_ports", "serial.tools.list_ports_posix"])
def test_the_given_ports_are_listed_and_no_others(source: str) -> None:
    assert python("-c", f"from {source} import comports\n{SHOW}").splitlines() == SHOWN


def test_pyserial_s_own_program_lists_them_too() -> None:
    assert python("-m", "serial.tools.list_ports", "-q").split() == ["/dev/pts/77", "/dev/pts/78"]


def test_a_search_finds_a_port_by_its_usb_identity() -> None:
    code = "from serial.tools.list_ports import grep\nprint(*(p.device for p in grep('1a86:55d4')))"
    assert python("-c", code) == "/dev/pts/77\n"


def test_a_list_that_is_imported_already_is_changed_as_well() -> None:
    code = (
        "from simulator.preload.port_list import ListedPort, show_only\nimport serial.tools.list_ports as listing\n"
        f"show_only(lambda: [{OTHER!r}])\nfrom serial.tools.list_ports_posix import comports\n"
        "assert listing.comports is comports\n" + SHOW
    )
    assert python("-c", code).splitlines() == [SHOWN[1]]


def test_pyserial_is_not_imported_by_a_program_that_does_not_want_it() -> None:
    assert python("-c", "import sys\nprint([name for name in sys.modules if 'serial' in name or 'espsim' in name])") == "[]\n"


def test_an_environment_s_own_start_module_runs_too(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.its_own = __file__\n")
    code = f"import sys\nprint(sys.its_own)\nfrom serial.tools.list_ports import comports\n{SHOW}"
    path = os.pathsep.join((str(environment.SITE), str(tmp_path)))
    assert python("-c", code, PYTHONPATH=path).splitlines() == [str(tmp_path / "sitecustomize.py"), *SHOWN]


def test_without_the_variable_nothing_is_changed() -> None:
    code = "import sys, serial.tools.list_ports as listing\nprint(listing.comports.__module__, len(sys.meta_path))"
    bare = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert python("-c", code, **{port_list.VARIABLE: ""}) == bare


@pytest.mark.parametrize("file", [Path(port_list.__file__), environment.SITE / "sitecustomize.py"], ids=lambda file: file.name)
def test_what_runs_in_a_client_s_interpreter_is_plain_python_3_7(file: Path) -> None:
    tree = ast.parse(file.read_text(), feature_version=(3, 7))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} - {"serial"} <= sys.stdlib_module_names


def test_a_client_on_a_pty_finds_its_port_by_itself(capfd: pytest.CaptureFixture[str]) -> None:
    client = (
        "import os, serial.tools.list_ports as l\nprint([(p.device == os.environ['ESPSIM_PORT'], p.vid) for p in l.comports()])"
    )
    request = Request(scenario=Scenario(board="ttgo-lora32-v1", download=True))
    words = (sys.executable, "-c", client)
    assert run_pty(words, request, timeout_s=60, pace=Pace.MAX, extras=Extras(listed=True)).status == 0
    assert capfd.readouterr().out == "[(True, 6790)]\n"
