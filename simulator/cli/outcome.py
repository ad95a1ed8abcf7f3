"""What ``espsim run`` says when CMD has ended: always to standard error, so that CMD's output stays its own."""

from __future__ import annotations

from simulator.flashers.child import ExitStatus, say
from simulator.flashers.job import Outcome
from simulator.flashers.virtual_run import Finished


def report(finished: Finished, *, stats: bool, timeout_s: float | None) -> int:
    """Say what the user must know about the run; return the exit status.

    Args:
        finished: The run.
        stats: Whether the user wants the figures too.
        timeout_s: The time that CMD had, in seconds.
    """
    status = finished.status
    if finished.timed_out:
        say(f"CMD did not end within {timeout_s:g} s and was ended")
    outcome = finished.outcome
    if outcome is None:
        if stats:
            say("no figures: CMD's process ended without a word about the board")
        return status
    for problem in outcome.problems:
        say(problem)
    for gap in outcome.gaps:
        say(f"the model does not know what an ESP32 does here: {gap}")
    for fault in outcome.faults:
        if not fault.exercised:
            say(f"fault {fault.name} did not fire" + (" in all its parts" if fault.fired else ""))
    if stats:
        for line in figures(outcome, finished.wall_s):
            say(line)
    if (outcome.gaps or any(problem.startswith("cannot write") for problem in outcome.problems)) and not finished.timed_out:
        return ExitStatus.FAILED
    return status


def figures(outcome: Outcome, wall_s: float) -> list[str]:
    """Return the lines of ``--stats``."""
    ratio = outcome.virtual_s / wall_s if wall_s else 0.0
    fired = ", ".join(f"{fault.name} x{fault.fired}" for fault in outcome.faults) or "none planned"
    return [
        f"virtual {outcome.virtual_s:.3f} s in {wall_s:.3f} s of wall time ({ratio:.1f} virtual seconds per second)",
        f"events {outcome.events}, hash {outcome.digest}",
        f"faults fired: {fired}",
    ]
