"""One command's session with a chip: open the port, connect, work, show the result, and end in a known state."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flashcore.chips import chip as find_chip
from flashcore.cli.arguments import PortOptions
from flashcore.cli.show import JsonView, TextView, View
from flashcore.errors import UsageError
from flashcore.loader import Flasher, Options, parse_after, parse_before
from flashcore.port import Port

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
    options = session_options(choice, flash_size)
    with Flasher.open(_open(choice), options, view.event) as flasher:
        yield Work(flasher, view)
    view.finish(flasher.findings)


def _open(choice: PortOptions) -> Port:
    from flashcore.ports import list_ports, open_port, pick

    name = choice.port or "auto"
    trace = None
    if choice.trace is not None:
        try:
            trace = open(choice.trace, "w", encoding="ascii")  # noqa: SIM115 -- the port closes it
        except OSError as error:
            raise UsageError(f"{choice.trace} cannot be written: {error.strerror}", code="usage.trace") from error
    try:
        port: Port = open_port(pick(list_ports()).device if name == "auto" else name, _FIRST_BAUDRATE)
    except BaseException:
        if trace is not None:
            trace.close()
        raise
    if trace is None:
        return port
    from flashcore.cli.trace import TracedPort

    return TracedPort(port, trace)
