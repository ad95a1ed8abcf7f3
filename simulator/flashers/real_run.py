"""Running any program against a board in real time: the board lives here, the program gets a port that leads to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from simulator.clock import monotonic_ns
from simulator.flashers.child import ExitStatus, environment_with, running
from simulator.flashers.interpreter import locate
from simulator.flashers.job import Request, conclude
from simulator.flashers.pty_ports import ptys
from simulator.flashers.virtual_run import Finished, with_port
from simulator.links import pump
from simulator.links.network import Way
from simulator.preload import build, environment
from simulator.scenario import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What a pseudo-terminal gets beyond what the kernel gives it.

    Args:
        lines: DTR and RTS, for clients that a library can be preloaded into.
        listed: A place in pyserial's list of ports, with the adapter's USB identity and without any other port.
    """

    lines: bool = False
    listed: bool = False


def run_pty(
    words: Sequence[str], request: Request, *, timeout_s: float | None, pace: pump.Pace, extras: Extras | None = None
) -> Finished:
    """Run CMD with a pseudo-terminal as its port.

    Args:
        words: CMD, with ``{port}`` where the port's path belongs.
        request: The world, and what to keep of it.
        timeout_s: How long CMD may take, in seconds; ``None`` for as long as it likes.
        pace: Whether the board keeps real time.
        extras: What the pseudo-terminal is to have besides; nothing by default.

    Raises:
        ScenarioError: The world cannot be built.
        CommandError: CMD cannot be started.
        CompilerError: There are to be modem lines, and what CMD needs for them cannot be made.
    """
    extras = extras or Extras()
    request.check()
    program = locate(words[0])
    pump.load_all()
    world = request.scenario.build()
    library = build.library() if extras.lines else None
    with TemporaryDirectory(prefix="espsim-") as name, ptys(world, Path(name), lines=library is not None) as found:
        variables = environment.for_lines(library, found.sockets) if library is not None else {}
        if extras.listed:
            variables |= {**environment.for_list(found.listed), **found.usb}
        command = [program, *with_port(words[1:], found.path)]
        pumps = [pump.Pump(device, link, pace=pace) for device, link in found.ports]
        return _run(command, environment_with(found.path, variables), request, world, pumps, timeout_s=timeout_s)


def run_network(words: Sequence[str], request: Request, way: Way, *, timeout_s: float | None, pace: pump.Pace) -> Finished:
    """Run CMD with a network address as its port.

    Args:
        words: CMD, with ``{port}`` where the address belongs.
        request: The world, and what to keep of it.
        way: What kind of server, and where it listens.
        timeout_s: How long CMD may take, in seconds; ``None`` for as long as it likes.
        pace: Whether the board keeps real time.

    Raises:
        ScenarioError: The world cannot be built, or the library for WebSockets is not installed.
        FlashcoreError: It is not possible to listen there.
        CommandError: CMD cannot be started.
    """
    request.check()
    program = locate(words[0])
    pump.load_all()
    world = request.scenario.build()
    with closing(way.open(world.device)) as link:
        command = [program, *with_port(words[1:], link.path)]
        pumps = [pump.Pump(world.device, link, pace=pace)]
        return _run(command, environment_with(link.path), request, world, pumps, timeout_s=timeout_s)


def _run(
    command: Sequence[str],
    variables: Mapping[str, str],
    request: Request,
    world: World,
    pumps: Sequence[pump.Pump],
    *,
    timeout_s: float | None,
) -> Finished:
    """Run `command` while `pumps` serve `world`."""
    start = monotonic_ns()
    with running(command, variables) as child:
        until = None if timeout_s is None else start + round(timeout_s * 1e9)
        in_time = pump.run(pumps, stop=child.fileno(), until_ns=until)
    status = child.close()
    wall_s = (monotonic_ns() - start) / 1e9
    for engine in pumps:
        engine.settle()
    return Finished(
        status=status if in_time else ExitStatus.TIMEOUT,
        outcome=conclude(request, world),
        wall_s=wall_s,
        timed_out=not in_time,
    )
