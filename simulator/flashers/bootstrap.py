"""The first file that runs in the flasher's own interpreter: puts the virtual world under it, then starts it.

Run by path as ``python bootstrap.py JOB NEEDED...``, in an environment that knows nothing of this project. Exactly our two packages
become importable, the clocks and the modem-line requests are replaced, pyserial learns ``sim://``, and the flasher is run as
``__main__`` just as its interpreter would run it. The world lives in this process; when the flasher ends, however it ends, the
outcome is written for the parent, and the flasher's own exit status goes through.

JOB is a JSON file: ``folders`` (package name to folder), ``kind`` (script, module or code), ``target``, ``argv``, ``name`` (of the
port), ``request``, ``outcome`` (file to write). Nothing of ours is imported before the import path is in order.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType, TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    own_path = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.abspath(sys.path[0]) == own_path:
        del sys.path[0]
    with open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    _prepare_path(job)
    if importlib.util.find_spec("serial") is None:
        print(
            f"espsim: {sys.executable} has no pyserial, so nothing in it can open a virtual port\n"
            "hint: install pyserial there, or use --link pty",
            file=sys.stderr,
        )
        return FAILED
    sys.meta_path.insert(0, OwnPackages(job["folders"]))

    from simulator.flashers.virtual_time import VirtualTime

    # pyserial binds the clock when it is imported, so the clock must be virtual by then; the world comes right after.
    clock = _LateClock()
    shims = VirtualTime(clock, _too_late)
    shims.install()
    from flashcore.errors import FlashcoreError
    from simulator.flashers.job import Request

    request = Request.from_json(job["request"])
    try:
        world = request.scenario.build()
    except FlashcoreError as error:
        print(f"espsim: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""), file=sys.stderr)
        return int(error.exit_code)
    clock.world = world
    _plug_in(job["name"], world)
    signal.signal(signal.SIGTERM, _terminated)
    sys.excepthook = _report
    problems: list[str] = []
    try:
        return _run(job, problems)
    finally:
        _write_outcome(job["outcome"], request, world, tuple(problems))


def _prepare_path(job: dict[str, str]) -> None:
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


def _too_late(to_ns: int) -> None:
    from simulator.links.protocol_sim import HORIZON_NS, VirtualHang

    if to_ns > HORIZON_NS:
        raise VirtualHang("a whole virtual day has passed")


def _plug_in(name: str, world: World) -> None:
    """Connect the world to pyserial: as a port to open, and as the only one in the list of ports."""
    import serial
    import serial.tools.list_ports as listing
    from serial.tools.list_ports_common import ListPortInfo

    from simulator.board.bridge import Driver
    from simulator.flashers import line_ioctl
    from simulator.links.protocol_sim import UsbIdentity, register

    spec = world.device.adapter.spec
    usb = UsbIdentity(
        vid=spec.vid,
        pid=spec.pid,
        serial_number=spec.serial,
        manufacturer=spec.manufacturer,
        product=spec.product,
        port_name=(spec.port_name(Driver.LINUX) or name).removeprefix("/dev/"),
    )
    endpoint = register(name, world.device, usb)
    serial.protocol_handler_packages.append("simulator.links")
    line_ioctl.install()

    def comports(include_links: bool = False) -> list[ListPortInfo]:
        port = ListPortInfo(endpoint.url)
        port.name = usb.port_name
        port.vid, port.pid = usb.vid, usb.pid
        port.serial_number = usb.serial_number or None
        port.manufacturer, port.product = usb.manufacturer, usb.product
        port.description = usb.product or usb.port_name
        port.hwid = port.usb_info()
        return [port]

    listing.comports = comports  # type: ignore[assignment]
    listing.grep.__globals__["comports"] = comports


def _terminated(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _run(job: dict[str, str], problems: list[str]) -> int:
    import runpy

    from simulator.links.protocol_sim import VirtualHang

    sys.argv = [job["target"], *job["argv"]] if job["kind"] != "code" else ["-c", *job["argv"]]
    try:
        if job["kind"] == "script":
            runpy.run_path(job["target"], run_name="__main__")
        elif job["kind"] == "module":
            runpy.run_module(job["target"], run_name="__main__", alter_sys=True)
        else:
            exec(compile(job["target"], "<string>", "exec"), {"__name__": "__main__", "__builtins__": __builtins__})
    except VirtualHang as hang:
        problems.append(f"CMD hangs: {hang}")
        return HUNG
    return 0


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print a traceback that starts where the flasher starts, as it would without us."""
    while trace is not None and trace.tb_frame.f_code.co_filename in (__file__, "<frozen runpy>"):
        trace = trace.tb_next
    sys.__excepthook__(kind, error, trace)


def _write_outcome(path: str, request: object, world: World, problems: tuple[str, ...]) -> None:
    from simulator.flashers.job import Request, conclude

    assert isinstance(request, Request)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    text = conclude(request, world, problems).to_json()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main())
