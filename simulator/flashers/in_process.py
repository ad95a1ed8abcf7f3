"""Running a flasher that is a function in this process: it gets a computer with ports, or the one open port that matters, and
returns, raises, or hangs.

What a command line would make of it is made of it here: an error of flashcore's tree becomes its exit code and its code
with its message, any other exception a traceback and exit status 1.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from flashcore.errors import CancelledError, FlashcoreError
from simulator.flashers.adapter import Result
from simulator.flashers.child import ExitStatus
from simulator.flashers.evidence import Watch, WorldFailureError
from simulator.flashers.task import Job, Task
from simulator.host.virtual_host import VirtualHost
from simulator.links.protocol_sim import VirtualHang
from simulator.links.virtual import VirtualPort

Say = Callable[[str], None]
HostSession = Callable[[VirtualHost, Job, Say], bytes | None]
"""A flasher: finds its port, does the job and tells what it has to tell. Returning means success, and what it returns is what
it read, where that was the job. Whatever port it opens and does not close it leaves open."""
Session = Callable[[VirtualPort, Job, Say], bytes | None]
"""The same without the way to the port, which is its own from then on."""


@dataclass(slots=True)
class _End:
    """How a session ended."""

    status: int = 0
    said: list[str] = field(default_factory=list)
    read: bytes | None = None
    crashed: bool = False
    hung: bool = False
    problem: str = ""
    left_open: bool = False


def run_session(task: Task, session: Session) -> Result:
    """Carry out `task` with `session`, on the port that leads to the board.

    Raises:
        ScenarioError: The world cannot be built.
        KeyboardInterrupt: The user interrupted it; there is no result.
    """
    return run_on_host(task, lambda host, job, say: session(host.open(host.named), job, say))


def run_on_host(task: Task, session: HostSession) -> Result:
    """Carry out `task` with `session`.

    Raises:
        ScenarioError: The world cannot be built.
        KeyboardInterrupt: The user interrupted it; there is no result.
    """
    watch = Watch(task)
    ends: list[_End] = []
    for number in range(task.job.sessions):
        if number:
            watch.pause()
        ends.append(_run_once(watch, session))
        if ends[-1].hung or ends[-1].problem:
            break
    watch.stop()
    last = ends[-1]
    left = ("its port is still open",) if any(end.left_open for end in ends) else ()
    problem = last.problem
    try:
        evidence = watch.evidence(failed=last.status != 0 and not problem, left=left, read=last.read)
    except WorldFailureError as failure:
        problem = problem or f"the simulator failed: {failure}"
        evidence = watch.evidence(failed=False)
    return Result(
        status=last.status,
        messages="\n".join(last.said),
        evidence=evidence,
        earlier=tuple("\n".join(end.said) for end in ends[:-1]),
        traceback=any(end.crashed for end in ends),
        hung=last.hung,
        problem=problem,
    )


def _run_once(watch: Watch, session: HostSession) -> _End:
    end = _End()
    host = watch.world.host
    try:
        end.read = session(host, watch.task.job, end.said.append)
    except CancelledError as error:
        # flashcore's word for a Ctrl-C, and that was meant for the whole campaign.
        raise KeyboardInterrupt from error
    except FlashcoreError as error:
        end.status = int(error.exit_code)
        end.said.append(f"{error.code}: {error.message}")
        if error.hint:
            end.said.append(f"hint: {error.hint}")
    except VirtualHang as hang:
        end.status, end.hung = ExitStatus.TIMEOUT, True
        end.said.append(f"hangs: {hang}")
    except WorldFailureError as failure:
        end.status, end.problem = ExitStatus.FAILED, f"the simulator failed: {failure}"
    except Exception:  # noqa: BLE001 - whatever a flasher raises is a crash of that flasher
        end.status, end.crashed = 1, True
        end.said.append(traceback.format_exc())
    if host.still_open:
        # The system closes the ports of a process that died; one that ended by itself should have.
        end.left_open = not (end.crashed or end.hung or end.problem)
        try:
            host.close_all()
        except WorldFailureError as failure:
            end.problem = end.problem or f"the simulator failed: {failure}"
        except VirtualHang:
            end.hung = True
    return end
