"""The first file in the interpreter of a Python flasher that gets many tasks: one warm process, a forked child per task.

Run by path as ``python shard_worker.py JOB``, in an environment that knows nothing of this project. Our packages become
importable, the clocks virtual and the flasher is imported, once. Then each task is carried out in a child: a copy of the warm
process, with a world of its own and the flasher's modules as they were after import, so no task sees another. The child writes
one line with its result; where it can't, because it was killed, the parent does.

JOB is a JSON file: ``folders`` (package name to folder), ``kind`` (function, script, module or code), ``target`` (a module for
a function), ``function``, ``name`` of the port,
``results`` (file to write), ``wall_s`` (most seconds for one task), ``tasks`` (list of ``task``, ``commands``, which is the
arguments of each time that the flasher is started in one session, and ``files`` that these write).
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.flashers.evidence import Watch


def main() -> int:
    """Carry out the job; return the exit status."""
    here = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.abspath(sys.path[0]) == here:
        del sys.path[0]
    with open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    if importlib.util.find_spec("serial") is None:
        sys.stderr.write(f"{sys.executable} has no pyserial, so nothing in it can open a virtual port\n")
        return 70
    bootstrap = _bootstrap(here)
    sys.meta_path.insert(0, bootstrap.OwnPackages(job["folders"]))

    from simulator.flashers.virtual_time import VirtualTime

    # pyserial binds the clock when it is imported, so the clock must be virtual by then.
    clock = _Clock()
    VirtualTime(clock).install()
    function = _program(job, bootstrap)
    errors = _errors_of_logger(job["target"])
    _warm_up(job)
    for item in job["tasks"]:
        sys.stdout.flush()
        child = os.fork()
        if not child:
            _carry_out(item, job, clock, function, errors)
        _, code = os.waitpid(child, 0)
        if code:
            _lost(job["results"], code)
    return 0


def _bootstrap(here: str) -> Any:
    """Load our bootstrap by path, which is how packages of ours can be found at all."""
    spec = importlib.util.spec_from_file_location("espsim_bootstrap", os.path.join(here, "bootstrap.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _program(job: dict[str, Any], bootstrap: Any) -> Callable[[], object]:
    """Return what starts the flasher: a function that is imported now, or a program that is run as its interpreter would."""
    if job["kind"] == "function":
        function: Callable[[], object] = getattr(importlib.import_module(job["target"]), job["function"])
        return function
    bootstrap.prepare_path(job)
    return lambda: bootstrap.run_program(job)


class _Clock:
    """The clock of the task's world; stands at zero until there is one."""

    watch: Watch | None = None

    def now_ns(self) -> int:
        return self.watch.world.device.kernel.now if self.watch is not None else 0

    def sleep_until(self, deadline_ns: int) -> None:
        if self.watch is not None:
            self.watch.world.device.advance(deadline_ns)


def _warm_up(job: dict[str, Any]) -> None:
    """Load what every task needs, so that the children find it loaded."""
    import gc

    import simulator.flashers.flashcore
    import simulator.flashers.plug  # noqa: F401
    from simulator.flashers.task import Task

    if job["tasks"]:
        Task.from_json(job["tasks"][0]["task"]).scenario.build()
    gc.freeze()


def _errors_of_logger(module: str) -> list[str]:
    """Return a list that takes each error that the flasher gives to its own logger, where it has one: esptool from 5.0 on."""
    errors: list[str] = []
    try:
        log = importlib.import_module(f"{module}.logger").log
    except (ImportError, AttributeError):
        return errors
    name = "err" if hasattr(log, "err") else "error"
    told = getattr(log, name)

    def listen(*words: object, **options: object) -> None:
        # What rich would take for markup, esptool marks with a backslash.
        errors.append(" ".join(map(str, words)).replace("\\[", "[").strip())
        told(*words, **options)

    setattr(told.__self__, name, listen)
    return errors


def _carry_out(
    item: dict[str, Any], job: dict[str, Any], clock: _Clock, function: Callable[[], object], errors: list[str]
) -> None:
    """Carry out one task in this process, which is a child made for it, and end the process."""
    from simulator.flashers.adapter import NOTHING, Result
    from simulator.flashers.ending import crashed
    from simulator.flashers.evidence import Watch, WorldFailureError
    from simulator.flashers.images import content
    from simulator.flashers.plug import by_name, plug_in
    from simulator.flashers.task import Task

    signal.alarm(job["wall_s"])
    task = Task.from_json(item["task"])
    watch = Watch(task)
    clock.watch = watch
    endpoint = plug_in(job["name"], watch.world.host)
    commands = [by_name(endpoint, words) for words in item["commands"]]
    end = _End()
    said: list[str] = []
    for number in range(task.job.sessions):
        if number:
            watch.pause()
        errors.clear()
        program = job["target"] if job["kind"] != "code" else "-c"
        end = _session(commands, program, function, job["folders"])
        said.append(end.messages)
        if end.hung or end.problem:
            break
    watch.stop()
    problem, evidence = end.problem, NOTHING
    try:
        failed = end.status != 0 and not problem
        evidence = watch.evidence(failed=failed, read=content(item["files"]) if not failed else None)
    except WorldFailureError as failure:
        problem = problem or f"the simulator failed: {failure}"
    result = Result(
        status=end.status,
        messages=said[-1],
        evidence=evidence,
        errors=tuple(errors),
        earlier=tuple(said[:-1]),
        traceback=any(crashed(text, 0) for text in said) and not problem,
        hung=end.hung,
        problem=problem,
    )
    _append(job["results"], result.to_json())
    os._exit(0)


class _End:
    """How a session ended."""

    status = 0
    hung = False
    problem = ""
    messages = ""


def _session(commands: list[list[str]], program: str, function: Callable[[], object], folders: dict[str, str]) -> _End:
    """Start the flasher once per command, as a shell would with ``&&`` between, and close its ports as the system would."""
    from simulator.flashers.ending import plain
    from simulator.flashers.evidence import WorldFailureError
    from simulator.links.protocol_sim import VirtualHang, close_all

    end = _End()
    with tempfile.TemporaryFile() as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        for argv in commands:
            sys.argv = [program, *argv]
            try:
                function()
            except SystemExit as leave:
                end.status = _status(leave.code)
            except VirtualHang as hang:
                end.status, end.hung = 124, True
                sys.stderr.write(f"\nhangs: {hang}{_place(hang, folders)}\n")
            except WorldFailureError as failure:
                end.status, end.problem = 70, f"the simulator failed: {failure}"
            except BaseException as error:  # noqa: BLE001 - what the interpreter would do with it
                sys.__excepthook__(type(error), error, error.__traceback__)
                end.status = 130 if isinstance(error, KeyboardInterrupt) else 1
            try:
                close_all()
            except WorldFailureError as failure:
                end.problem = end.problem or f"the simulator failed: {failure}"
            except VirtualHang:
                end.hung = True
            if end.status or end.hung or end.problem:
                break
        sys.stdout.flush()
        sys.stderr.flush()
        output.seek(0)
        end.messages = plain(output.read())
    return end


def _place(hang: BaseException, folders: dict[str, str]) -> str:
    """Return where in the flasher's own code it waits, as far as that can be seen."""
    trace, found = hang.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        if not code.co_filename.startswith(tuple(folders.values())):
            found = f", in {code.co_name} at {os.path.basename(code.co_filename)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


def _status(code: object) -> int:
    """Return the exit status that an interpreter makes of the argument of `SystemExit`."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1


def _lost(path: str, code: int) -> None:
    """Write a result for a child that could not."""
    from simulator.flashers.adapter import NOTHING, Result

    if os.WIFSIGNALED(code):
        number = os.WTERMSIG(code)
        hung = number == signal.SIGALRM
        text = "no end in the time allowed on the machine's clock" if hung else f"killed by signal {number}"
        result = Result(status=128 + number, messages=text, evidence=NOTHING, traceback=not hung, hung=hung)
    else:
        status = os.waitstatus_to_exitcode(code)
        result = Result(status=70, messages="", evidence=NOTHING, problem=f"the task's process ended with {status}")
    _append(path, result.to_json())


def _append(path: str, line: str) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
