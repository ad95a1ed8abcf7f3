"""CMD as a child process: in a process group of its own, so that it and all it starts can be ended, and ended for certain.

The group gets the terminal while it runs, as a shell's foreground job does, so Ctrl-C reaches CMD and not us.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import IntEnum, unique
from types import FrameType
from typing import IO

from simulator.flashers.interpreter import CommandError

GRACE_S = 1.0
"""How long CMD may take to end after it was asked to, in seconds."""


@unique
class ExitStatus(IntEnum):
    """Exit statuses of ``espsim run`` that are not CMD's own."""

    USAGE = 2
    """A wrong option; an unknown board or fault; a missing file."""
    FAILED = 70
    """espsim itself failed: a file could not be written, or the model does not know what the real thing does here."""
    TIMEOUT = 124
    """CMD did not end within ``--timeout``, or waited in virtual time for something that never comes."""
    CANNOT_START = 127
    """CMD cannot be started: not found, not executable, or (in virtual time) no Python program, or an old Python."""
    INTERRUPTED = 130
    """Ctrl-C."""


class Child:
    """CMD while it runs.

    Args:
        words: Program and arguments.
        environment: All its environment variables.
        output: Takes all that it prints; it is not given the terminal then, and nothing to read.

    Raises:
        CommandError: It cannot be started.
    """

    def __init__(self, words: Sequence[str], environment: Mapping[str, str], *, output: IO[bytes] | None = None) -> None:
        unseen = None if output is None else subprocess.DEVNULL
        merged = None if output is None else subprocess.STDOUT
        try:
            self._process = subprocess.Popen(
                list(words), env=dict(environment), process_group=0, stdin=unseen, stdout=output, stderr=merged
            )
        except OSError as error:
            raise CommandError(f"cannot start {words[0]}: {error.strerror}") from error
        self._closed = False
        self._terminal = _Terminal(self._process.pid if output is None else None)
        self._ended, self._announce = os.pipe()
        self._watcher = threading.Thread(target=self._watch, name="espsim-child", daemon=True)
        self._watcher.start()

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when CMD has ended."""
        return self._ended

    @property
    def running(self) -> bool:
        """Whether CMD has not ended yet."""
        return self._watcher.is_alive()

    def wait(self, timeout_s: float | None) -> bool:
        """Wait until CMD ends, at most `timeout_s` seconds; tell whether it has."""
        poller = select.poll()
        poller.register(self._ended, select.POLLIN)
        return bool(poller.poll(None if timeout_s is None else timeout_s * 1000))

    def end(self) -> None:
        """End CMD and everything in its group: politely, then for certain."""
        self._signal(signal.SIGTERM)
        self.wait(GRACE_S)
        self._signal(signal.SIGKILL)
        self._watcher.join()

    def interrupt(self) -> None:
        """Pass a Ctrl-C on to CMD's group."""
        self._signal(signal.SIGINT)

    def close(self) -> int:
        """Make sure that CMD and all of its group have ended, take the terminal back, and return its exit status as a shell.

        Closing twice is harmless.
        """
        if not self._closed:
            self._closed = True
            if self.running:
                self.end()
            self._watcher.join()
            # What CMD has started and left. Until CMD itself is waited for, its group's number can be no other's.
            self._signal(signal.SIGKILL)
            for descriptor in (self._ended, self._announce):
                os.close(descriptor)
            self._terminal.take_back()
        status = self._process.wait()
        return status if status >= 0 else 128 - status

    def _watch(self) -> None:
        # waitid leaves the status for Popen, which is not made for being waited on from two threads.
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        os.write(self._announce, b"\0")

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


class _Terminal:
    """The terminal on standard input, lent to a process group; to nobody if there is none."""

    def __init__(self, group: int | None) -> None:
        self._lent = False
        if group is None:
            return
        try:
            if os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp():
                _give_terminal(group)
                self._lent = True
        except OSError:
            self._lent = False

    def take_back(self) -> None:
        if self._lent:
            with contextlib.suppress(OSError):
                _give_terminal(os.getpgrp())


def _give_terminal(group: int) -> None:
    # A background process that touches the terminal is stopped by SIGTTOU, and we are one while CMD holds it.
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        os.tcsetpgrp(0, group)
    finally:
        signal.signal(signal.SIGTTOU, before)


@contextlib.contextmanager
def running(words: Sequence[str], environment: Mapping[str, str]) -> Iterator[Child]:
    """Start CMD, and let signals that would end us end CMD instead, so that everything is cleaned up behind it.

    A signal that comes while CMD is being started is passed on as soon as it runs; at the end CMD is closed.

    Raises:
        CommandError: It cannot be started.
    """
    child: Child | None = None
    early: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        if child is None:
            early.append(number)
        elif number == signal.SIGINT:
            child.interrupt()
        else:
            child.end()

    with _handled_by(forward):
        child = Child(words, environment)
        try:
            for number in early:
                forward(number, None)
            yield child
        finally:
            child.close()


@contextlib.contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Give the signals that end a process to `handler`; Python lets the main thread alone do that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def environment_with(url: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return our environment with the port's name in ``ESPSIM_PORT``."""
    return {**os.environ, "ESPSIM_PORT": url, **(extra or {})}


def say(text: str) -> None:
    """Tell the user something on standard error, where it does not mix with CMD's output."""
    print(f"espsim: {text}", file=sys.stderr, flush=True)  # noqa: T201
