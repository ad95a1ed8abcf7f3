"""Running any program against a board in real time: the board lives here, the program gets a pseudo-terminal."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.clock import monotonic_ns
from simulator.flashers.child import Child, ExitStatus, environment_with, forwarding
from simulator.flashers.interpreter import locate
from simulator.flashers.job import Request, conclude
from simulator.flashers.virtual_run import Finished, with_port
from simulator.links import pump
from simulator.links.pty import PtyLink


def run_pty(words: Sequence[str], request: Request, *, timeout_s: float | None, pace: pump.Pace) -> Finished:
    """Run CMD with a pseudo-terminal as its port.

    Args:
        words: CMD, with ``{port}`` where the port's path belongs.
        request: The world, and what to keep of it.
        timeout_s: How long CMD may take, in seconds; ``None`` for as long as it likes.
        pace: Whether the board keeps real time.

    Raises:
        ScenarioError: The world cannot be built.
        CommandError: CMD cannot be started.
    """
    request.check()
    program = locate(words[0])
    pump.load_all()
    world = request.scenario.build()
    with PtyLink() as link:
        engine = pump.Pump(world.device, link, pace=pace)
        start = monotonic_ns()
        child = Child([program, *with_port(words[1:], link.path)], environment_with(link.path))
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
