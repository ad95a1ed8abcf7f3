"""Running any program against a board in real time: the board lives here, the program gets a pseudo-terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.clock import monotonic_ns
from simulator.flashers.child import Child, ExitStatus, environment_with, forwarding
from simulator.flashers.interpreter import locate
from simulator.flashers.job import Request, conclude
from simulator.flashers.virtual_run import Finished, with_port
from simulator.links import pump
from simulator.links.lines import LineServer
from simulator.links.pty import PtyLink
from simulator.preload import environment


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
    lines = LineServer(spec) if extras.lines else None
    with PtyLink(lines) as link:
        if lines is not None:
            variables |= environment.for_lines({link.path: lines.path})
        if extras.listed:
            variables |= environment.for_list([environment.listed(link.path, spec)])
        engine = pump.Pump(world.device, link, pace=pace)
        start = monotonic_ns()
        child = Child([program, *with_port(words[1:], link.path)], environment_with(link.path, variables))
        try:
            with forwarding(child):
                until = None if timeout_s is None else start + round(timeout_s * 1e9)
                in_time = pump.run([engine], stop=child.fileno(), until_ns=until)
        finally:
            status = child.close()
        wall_s = (monotonic_ns() - start) / 1e9
        engine.settle()
    return Finished(
        status=status if in_time else ExitStatus.TIMEOUT,
        outcome=conclude(request, world),
        wall_s=wall_s,
        timed_out=not in_time,
    )
