"""Running any program against a board in real time: the board lives here, the program gets a port that leads to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from simulator.clock import monotonic_ns
from simulator.flashers.child import ExitStatus, environment_with, running
from simulator.flashers.interpreter import locate
from simulator.flashers.job import Request, conclude
from simulator.flashers.virtual_run import Finished, with_port
from simulator.links import pump
from simulator.links.lines import LineServer
from simulator.links.network import Way
from simulator.links.pty import PtyLink
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
    spec = world.device.adapter.spec
    variables: dict[str, str] = {}
    library = build.library() if extras.lines else None
    lines = LineServer(spec) if library is not None else None
    with PtyLink(lines) as link:
        if library is not None and lines is not None:
            variables |= environment.for_lines(library, {link.path: lines.path})
        if extras.listed:
            variables |= environment.for_list([environment.listed(link.path, spec)])
        command = [program, *with_port(words[1:], link.path)]
        return _run(command, environment_with(link.path, variables), request, world, link, timeout_s=timeout_s, pace=pace)


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
        return _run(command, environment_with(link.path), request, world, link, timeout_s=timeout_s, pace=pace)


def _run(
    command: Sequence[str],
    variables: Mapping[str, str],
    request: Request,
    world: World,
    link: pump.Link,
    *,
    timeout_s: float | None,
    pace: pump.Pace,
) -> Finished:
    """Run `command` while `world` is served at `link`."""
    engine = pump.Pump(world.device, link, pace=pace)
    start = monotonic_ns()
    with running(command, variables) as child:
        until = None if timeout_s is None else start + round(timeout_s * 1e9)
        in_time = pump.run([engine], stop=child.fileno(), until_ns=until)
    status = child.close()
    wall_s = (monotonic_ns() - start) / 1e9
    engine.settle()
    return Finished(
        status=status if in_time else ExitStatus.TIMEOUT,
        outcome=conclude(request, world),
        wall_s=wall_s,
        timed_out=not in_time,
    )
