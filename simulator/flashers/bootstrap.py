"""The first file that runs in the flasher's own interpreter: puts the virtual world under it, then starts it.

Run by path as ``python bootstrap.py JOB``, in an environment that knows nothing of this project. Exactly our two packages
become importable, the clocks and the modem-line requests are replaced, pyserial learns ``sim://``, and the flasher is run as
``__main__`` just as its interpreter would run it. The world lives in this process; when the flasher ends, however it ends,
the outcome is written for the parent, and the flasher's own exit status goes through.

JOB is a JSON file: ``folders`` (package name to folder), ``kind`` (script, module or code), ``target``, ``argv``, ``name`` of
the port, ``host`` (folder for what the computer knows of its ports), ``request``, ``outcome`` (file to write). Nothing of ours
is imported before the import path is in order.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import signal
import sys
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType, TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulator.scenario import World

FAILED = 70
"""Exit status for a failure of espsim itself."""
HUNG = 124
"""Exit status where the flasher waits for something that never comes."""


class OwnPackages:
    """Finds our two packages in their folders, and nothing else of the environment that they come from.

    Args:
        folders: Package name to folder.
    """

    def __init__(self, folders: dict[str, str]) -> None:
        self._folders = folders

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return where the package `name` is, if it is one of ours."""
        folder = self._folders.get(name)
        if folder is None:
            return None
        return importlib.util.spec_from_file_location(
            name, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
        )


def main() -> int:
    """Run the flasher; return the exit status where it did not end the process by itself."""
    # Until the flasher runs, Ctrl-C ends this process without a word: a traceback would be of our own imports.
    on_interrupt = signal.getsignal(signal.SIGINT)
    if on_interrupt is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    own_path = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.abspath(sys.path[0]) == own_path:
        del sys.path[0]
    with open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    prepare_path(job)
    if importlib.util.find_spec("serial") is None:
        sys.stderr.write(
            f"espsim: {sys.executable} has no pyserial, so nothing in it can open a virtual port\n"
            "hint: install pyserial there, or use --link pty\n"
        )
        return FAILED
    sys.meta_path.insert(0, OwnPackages(job["folders"]))

    from simulator.flashers.virtual_time import VirtualTime

    # pyserial binds the clock when it is imported, so the clock must be virtual by then; the world comes right after.
    clock = _LateClock()
    shims = VirtualTime(clock, _too_late)
    shims.install()
    from flashcore.errors import FlashcoreError
    from simulator.flashers.host_files import HostFiles
    from simulator.flashers.job import Request
    from simulator.flashers.plug import by_name, plug_in

    request = Request.from_json(job["request"])
    try:
        request.check()
        world = request.scenario.build()
    except FlashcoreError as error:
        sys.stderr.write(f"espsim: {error.message}\n" + (f"hint: {error.hint}\n" if error.hint else ""))
        return int(error.exit_code)
    _contain(world)
    clock.world = world
    endpoint = plug_in(job["name"], world.host)
    job["argv"] = by_name(endpoint, job["argv"])
    os.environ["ESPSIM_PORT"] = by_name(endpoint, [endpoint.url])[0]
    HostFiles(world.host, pathlib.Path(job["host"]))
    signal.signal(signal.SIGTERM, _terminated)
    signal.signal(signal.SIGINT, on_interrupt)
    sys.excepthook = _report
    problems: list[str] = []
    try:
        return _run(job, problems)
    finally:
        _write_outcome(job["outcome"], request, world, tuple(problems))


def prepare_path(job: dict[str, str]) -> None:
    """Make the import path the one that the interpreter would have given to the flasher."""
    if not getattr(sys.flags, "safe_path", False) and not sys.flags.isolated:
        if job["kind"] == "script":
            sys.path.insert(0, os.path.dirname(os.path.realpath(job["target"])))
        else:
            sys.path.insert(0, os.getcwd() if job["kind"] == "module" else "")


class _LateClock:
    """The world's clock; stands at zero until there is a world."""

    world: World | None = None

    def now_ns(self) -> int:
        return self.world.device.kernel.now if self.world is not None else 0

    def sleep_until(self, deadline_ns: int) -> None:
        if self.world is not None:
            self.world.device.advance(deadline_ns)


class WorldFailure(BaseException):
    """The simulator itself failed. Not an `Exception`, since the flasher must not take it for an error of its port."""


def _contain(world: World) -> None:
    """Keep failures of the simulator apart from errors that the flasher is meant to see."""

    def contained(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(argument: Any) -> Any:
            try:
                return function(argument)
            except Exception as error:
                raise WorldFailure(f"{type(error).__name__}: {error}") from error

        return call

    device: Any = world.device
    device.advance, device.submit = contained(device.advance), contained(device.submit)


def _too_late(to_ns: int) -> None:
    # Not before the clock is virtual, since this imports pyserial.
    from simulator.links.protocol_sim import check_horizon

    check_horizon(to_ns)


def _terminated(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def run_program(job: dict[str, str]) -> None:
    """Run the program that `job` names as ``__main__``, with the arguments that are there."""
    import runpy

    if job["kind"] == "script":
        runpy.run_path(job["target"], run_name="__main__")
    elif job["kind"] == "module":
        runpy.run_module(job["target"], run_name="__main__", alter_sys=True)
    else:
        exec(compile(job["target"], "<string>", "exec"), {"__name__": "__main__", "__builtins__": __builtins__})


def _run(job: dict[str, str], problems: list[str]) -> int:
    from simulator.links.protocol_sim import VirtualHang

    sys.argv = [job["target"], *job["argv"]] if job["kind"] != "code" else ["-c", *job["argv"]]
    try:
        run_program(job)
    except VirtualHang as hang:
        problems.append(f"CMD hangs: {hang}")
        return HUNG
    except WorldFailure as failure:
        import traceback

        traceback.print_exception(failure.__cause__)
        problems.append(f"the simulator failed ({failure}); this says nothing about CMD")
        return FAILED
    return 0


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print a traceback that starts where the flasher starts, as it would without us."""
    while trace is not None and trace.tb_frame.f_code.co_filename in (__file__, "<frozen runpy>"):
        trace = trace.tb_next
    sys.__excepthook__(kind, error.with_traceback(trace), trace)


def _write_outcome(path: str, request: object, world: World, problems: tuple[str, ...]) -> None:
    from simulator.flashers.job import Request, conclude

    assert isinstance(request, Request)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    text = conclude(request, world, problems).to_json()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main())
