"""One command's session with a chip: open the port, connect, work, show the result, and end in a known state."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace

from flashcore.chips import chip as find_chip
from flashcore.cli.arguments import PortOptions
from flashcore.cli.show import JsonView, TextView, View
from flashcore.errors import UsageError
from flashcore.host import Host
from flashcore.loader import Flasher, Options, parse_after, parse_before

_FIRST_BAUDRATE = 115200


@dataclass(frozen=True, slots=True)
class Work:
    """A connected chip and where to show what is done with it."""

    flasher: Flasher
    view: View


def view_of(choice: PortOptions) -> View:
    """Return the view that the user asked for."""
    return JsonView(sys.stdout) if choice.json else TextView(sys.stdout)


def session_options(choice: PortOptions, flash_size: int | None = None) -> Options:
    """Return the user's choices as values.

    Raises:
        UsageError: One of them makes no sense.
    """
    return Options(
        baudrate=choice.baud or _FIRST_BAUDRATE,
        chip=find_chip(choice.chip) if choice.chip not in (None, "auto") else None,
        before=parse_before(choice.before or "default-reset"),
        after=parse_after(choice.after or "hard-reset"),
        use_stub=not choice.no_stub,
        boot_check=not choice.no_boot_check,
        flash_size=flash_size,
    )


@contextmanager
def connected(choice: PortOptions, view: View, flash_size: int | None = None) -> Iterator[Work]:
    """Connect to the chip that the user means; on leaving show the findings and give everything back.

    Raises:
        FlashcoreError: It cannot be reached.
    """
    from flashcore.approach import DEFAULT_PATIENCE, reach

    options = session_options(choice, flash_size)
    patience = DEFAULT_PATIENCE if choice.wait_port is None else replace(DEFAULT_PATIENCE, appear_s=choice.wait_port)
    with ExitStack() as stack:
        host = _host(choice, stack)
        flasher = reach(host, choice.port or "auto", options, patience=patience, on_event=view.event)
        with flasher:
            yield Work(flasher, view)
        view.finish(flasher.findings)


def _host(choice: PortOptions, stack: ExitStack) -> Host:
    """Return this machine, with a record of what passes through its ports if that is wanted."""
    from flashcore.ports import SystemHost

    host = SystemHost()
    if choice.trace is None:
        return host
    from flashcore.cli.trace import TracingHost

    try:
        return stack.enter_context(closing(TracingHost(host, choice.trace)))
    except OSError as error:
        raise UsageError(f"{choice.trace} cannot be written: {error.strerror}", code="usage.trace") from error
