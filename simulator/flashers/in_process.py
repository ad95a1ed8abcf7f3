"""Running a flasher that is a function in this process: it gets an open port on a world, and returns, raises, or hangs.

What a command line would make of it is made of it here: an error of flashcore's tree becomes its exit code and its code
with its message, any other exception a traceback and exit status 1.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence

from flashcore.errors import CancelledError, FlashcoreError
from simulator.flashers.adapter import Image, Result, Task
from simulator.flashers.child import ExitStatus
from simulator.flashers.evidence import Watch, WorldFailureError
from simulator.links.protocol_sim import VirtualHang
from simulator.links.virtual import VirtualPort

Session = Callable[[VirtualPort, Sequence[Image], Callable[[str], None]], None]
"""A flasher: writes the images through the port and tells what it has to tell; returning means success."""


def run_session(task: Task, session: Session) -> Result:
    """Carry out `task` with `session`.

    Raises:
        ScenarioError: The world cannot be built.
        KeyboardInterrupt: The user interrupted it; there is no result.
    """
    watch = Watch(task)
    said: list[str] = []
    status, hung, crashed, problem = 0, False, False, ""
    port = None
    try:
        port = VirtualPort(watch.world.device)
        session(port, task.images, said.append)
    except CancelledError as error:
        # flashcore's word for a Ctrl-C, and that was meant for the whole campaign.
        raise KeyboardInterrupt from error
    except FlashcoreError as error:
        status = int(error.exit_code)
        said.append(f"{error.code}: {error.message}")
        if error.hint:
            said.append(f"hint: {error.hint}")
    except VirtualHang as hang:
        status, hung = ExitStatus.TIMEOUT, True
        said.append(f"hangs: {hang}")
    except WorldFailureError as failure:
        status, problem = ExitStatus.FAILED, f"the simulator failed: {failure}"
    except Exception:  # noqa: BLE001 - whatever a flasher raises is a crash of that flasher
        status, crashed = 1, True
        said.append(traceback.format_exc())
    watch.stop()
    try:
        if port is not None:
            port.close()
        evidence = watch.evidence(failed=status != 0 and not problem)
    except WorldFailureError as failure:
        problem = problem or f"the simulator failed: {failure}"
        evidence = watch.evidence(failed=False)
    return Result(status=status, messages="\n".join(said), evidence=evidence, traceback=crashed, hung=hung, problem=problem)
