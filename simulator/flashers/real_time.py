"""Sessions of a flasher that is any program, in real time: the board lives here and is watched, the program gets a port.

Unlike ``espsim run`` these runs are silent, may have several sessions in one world, and end with evidence. One second of the
board is one of the machine, since the flasher's own timeouts are what is looked at.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from simulator.board.board import Device
from simulator.clock import monotonic_ns
from simulator.flashers.abilities import Abilities, Link
from simulator.flashers.adapter import Result
from simulator.flashers.child import Child, ExitStatus
from simulator.flashers.ending import crashed, plain
from simulator.flashers.evidence import Watch, WorldFailureError
from simulator.flashers.pty_ports import ptys
from simulator.flashers.task import Task
from simulator.links import pump
from simulator.links.network import Network, Way
from simulator.links.protocol_sim import VirtualHang
from simulator.preload import build, environment
from simulator.scenario import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What a session consists of.

    Args:
        commands: Programs with arguments, one after the other as long as each succeeds.
        read: Returns what the flasher has read, when it has ended well.
        errors: Returns what it calls errors, where it has a channel for them.
    """

    commands: Sequence[Sequence[str]]
    read: Callable[[], bytes | None] = lambda: None
    errors: Callable[[], tuple[str, ...]] = tuple


@dataclass(frozen=True, slots=True)
class _Way:
    """An open way to the board: all ports that are served, the name of the one that matters, and what a client's environment
    needs."""

    ports: Sequence[tuple[Device, pump.Link]]
    name: str
    variables: Mapping[str, str]


@dataclass(slots=True)
class _End:
    status: int = 0
    messages: str = ""
    hung: bool = False
    problem: str = ""


def run_real(task: Task, abilities: Abilities, start: Callable[[str], Started]) -> Result:
    """Carry out `task`.

    Args:
        task: What is to be done.
        abilities: Which way the flasher takes to the board, and how long it may take.
        start: Given the port's name, returns what to start.

    Raises:
        ScenarioError: The world cannot be built, or the way to it is not to be had.
        CommandError: The program cannot be started.
    """
    library = _lines_library() if abilities.link is Link.PTY else None
    if library is None and abilities.link in (Link.PTY, Link.TCP):
        # Without lines nobody can reset the board, so somebody has held BOOT.
        task = replace(task, scenario=replace(task.scenario, download=True))
    pump.load_all()
    watch = Watch(task)
    with _opened(abilities.link, watch.world, library) as way:
        engines = [pump.Pump(device, link) for device, link in way.ports]
        started = start(way.name)
        ends = list(_sessions(task, engines, started, way, abilities.wall_s))
    last = ends[-1]
    problem = last.problem
    watch.stop()
    failed = last.status != 0 and not problem
    try:
        evidence = watch.evidence(failed=failed, read=None if failed else started.read())
    except WorldFailureError as failure:
        problem = problem or f"the simulator failed: {failure}"
        evidence = watch.evidence(failed=False)
    return Result(
        status=last.status,
        messages=last.messages,
        evidence=evidence,
        errors=started.errors(),
        earlier=tuple(end.messages for end in ends[:-1]),
        traceback=any(crashed(end.messages, end.status) for end in ends) and not problem,
        hung=last.hung,
        problem=problem,
    )


def _sessions(task: Task, engines: Sequence[pump.Pump], started: Started, way: _Way, wall_s: float) -> Iterator[_End]:
    for _ in range(task.job.sessions):
        end = _session(engines, started.commands, way, wall_s)
        yield end
        if end.hung or end.problem:
            break


def _session(engines: Sequence[pump.Pump], commands: Sequence[Sequence[str]], way: _Way, wall_s: float) -> _End:
    end = _End()
    with tempfile.TemporaryFile() as output:
        try:
            for command in commands:
                with closing(Child(command, {**os.environ, **way.variables, "ESPSIM_PORT": way.name}, output=output)) as child:
                    end.hung = not pump.run(engines, stop=child.fileno(), until_ns=monotonic_ns() + round(wall_s * 1e9))
                    end.status = ExitStatus.TIMEOUT if end.hung else child.close()
                for engine in engines:
                    engine.settle()
                if end.status:
                    break
        except VirtualHang:
            end.status, end.hung = ExitStatus.TIMEOUT, True
        except WorldFailureError as failure:
            end.status, end.problem = ExitStatus.FAILED, f"the simulator failed: {failure}"
        output.seek(0)
        end.messages = plain(output.read())
    return end


def _lines_library() -> Path | None:
    """Return what gives a program modem lines on a pty, or ``None`` where that cannot be had."""
    try:
        return build.library()
    except build.CompilerError:
        return None


@contextmanager
def _opened(link: Link, world: World, library: Path | None) -> Iterator[_Way]:
    """Open a way to the board of `world`."""
    if link is Link.PTY:
        with tempfile.TemporaryDirectory(prefix="espsim-") as name, ptys(world, Path(name), lines=library is not None) as found:
            variables = {**environment.for_list(found.listed), **found.usb}
            if library is not None:
                variables |= environment.for_lines(library, found.sockets)
            yield _Way(found.ports, found.path, variables)
        return
    with closing(Way(network=Network(link.value)).open(world.device)) as way:
        yield _Way([(world.device, way)], way.path, {})
