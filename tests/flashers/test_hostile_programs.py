"""Programs that lie, die, or leave something behind: each has its verdict, and nothing of them outlives the run."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from simulator.campaign import Verdict
from simulator.campaign.case import Case
from simulator.campaign.run import InTurn, run_clean
from simulator.campaign.suite import Order
from simulator.flashers import environments
from simulator.flashers.known import adapter

ESPTOOL = [sys.executable, "-m", "esptool"]

Script = Callable[[str], str]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Return a function that makes a program of some lines of Python, and returns the command line of it as a flasher."""

    def make(body: str) -> str:
        path = tmp_path / "flasher.py"
        path.write_text(f"import os, signal, subprocess, sys, time\nport, address, image = sys.argv[1:]\n{body}\n")
        return f"{sys.executable} {path} {{port}} {{address}} {{image}}"

    return make


def verdict(words: str) -> tuple[Verdict, str]:
    """Return the verdict on a run without faults, and its reason."""
    case: Case = Order(size=4096).clean(words)
    (record,) = run_clean([case], {words: adapter(words)}, InTurn())
    return record.judgement.verdict, record.judgement.reason


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("print('Hash of data verified.')", Verdict.FALSE_SUCCESS),
        ("sys.stdout.write('Done\\n' * 2_000_000)", Verdict.FALSE_SUCCESS),
        ("os.write(1, bytes(range(256)) * 1000 + b'</script>'); sys.exit(1)", Verdict.FAILED_MISDIAGNOSED),
        ("sys.exit(1)", Verdict.FAILED_MISDIAGNOSED),
        ("os.kill(os.getpid(), signal.SIGKILL)", Verdict.CRASHED),
        ("os.abort()", Verdict.CRASHED),
    ],
)
def test_a_program_that_does_nothing_has_a_bad_verdict_whatever_it_says(script: Script, body: str, expected: Verdict) -> None:
    found, reason = verdict(script(body))
    assert found is expected, reason


@pytest.mark.peers
def test_what_is_erased_after_it_was_written_is_a_false_success(script: Script) -> None:
    found, reason = verdict(
        script(
            f"run = lambda *words: subprocess.run([*{ESPTOOL!r}, '--port', port, *words], check=True)\n"
            "run('write-flash', address, image)\nrun('erase-region', '0x10000', '0x1000')"
        )
    )
    assert found is Verdict.FALSE_SUCCESS, reason


def ends(reader: int) -> bool:
    """Return whether all that hold the other end of a pipe have ended; what has to end has 20 s for it."""
    return bool(select.select([reader], [], [], 20)[0]) and os.read(reader, 1) == b""


def test_what_a_program_has_started_and_left_is_ended(script: Script, tmp_path: Path) -> None:
    pipe = tmp_path / "alive"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        words = script(f"held = os.open({str(pipe)!r}, os.O_WRONLY)\nif os.fork() == 0:\n    time.sleep(600)")
        assert verdict(words)[0] is Verdict.FALSE_SUCCESS
        assert ends(reader)
    finally:
        os.close(reader)


def test_an_installation_that_is_interrupted_ends_with_all_it_has_started(tmp_path: Path) -> None:
    pipe = tmp_path / "alive"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    body = f"held = os.open({str(pipe)!r}, os.O_WRONLY)\nos.fork()\nprint('Collecting esptool', flush=True)\ntime.sleep(600)"

    def interrupted(text: str) -> None:
        raise KeyboardInterrupt

    try:
        with pytest.raises(KeyboardInterrupt):
            environments._run([sys.executable, "-c", f"import os, time\n{body}"], interrupted)
        assert ends(reader)
    finally:
        os.close(reader)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupted_score_leaves_no_process_and_no_file(
    script: Script, tmp_path: Path, number: signal.Signals, jobs: str
) -> None:
    started, folder, alive = tmp_path / "started", tmp_path / "tmp", tmp_path / "alive"
    folder.mkdir()
    for pipe in (started, alive):
        os.mkfifo(pipe)
    readers = [os.open(pipe, os.O_RDONLY | os.O_NONBLOCK) for pipe in (started, alive)]
    words = script(
        f"held = os.open({str(alive)!r}, os.O_WRONLY)\nos.set_inheritable(held, True)\n"
        f"child = subprocess.Popen(['sleep', '600'], close_fds=False)\nopen({str(started)!r}, 'w').write('x')\nchild.wait()"
    )
    # A shell's background job, as the test run may be, ignores SIGINT, and so would all that it starts.
    before = signal.signal(number, signal.default_int_handler)
    try:
        score = subprocess.Popen(
            [sys.executable, "-m", "simulator", "score", "--command", words, "--jobs", jobs, "--size", "4096"],
            env={**os.environ, "TMPDIR": str(folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert select.select([readers[0]], [], [], 60)[0]
        try:
            score.send_signal(number)
            said = score.communicate(timeout=60)[1]
        finally:
            score.kill()
        assert (score.returncode, said.strip()) == (130, "espsim: interrupted")
        assert ends(readers[1])
        assert list(folder.iterdir()) == []
    finally:
        signal.signal(number, before)
        for reader in readers:
            os.close(reader)
