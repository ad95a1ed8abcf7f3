"""Reach a loader: reset sequences in turn, SYNC after each, and a diagnosis when all is in vain.

The first rounds are quick; later ones repeat the sequences with more patience, for slow hubs and network links. What the chip
prints decides meanwhile: after the banner of a flash boot the next sequence is tried at once, after that of a download, or
when an answer begins, the chip is not reset again before it had seconds to answer (catalogue row 40). One valid answer is
enough, since on a noisy line one of the eight is often broken (row 33); the others are drained. On silicon the first SYNC is
always spent on the baud detection (oracle, Limits), so no round relies on one. It ends within `Policy.connect_limit_s`, plus
at most one answer's wait.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, unique

from flashcore.errors import UsageError
from flashcore.loader import reset
from flashcore.loader.diagnosis import Attempt, diagnose, is_echo
from flashcore.loader.progress import Connected, Connecting
from flashcore.loader.session import Session
from flashcore.port import NS_PER_S, LineSupport, ns
from flashcore.protocol import boot_log
from flashcore.protocol.exchange import Dialect, SyncAnswer
from flashcore.protocol.opcodes import Opcode
from flashcore.protocol.slip import END


@unique
class Before(Enum):
    """What to do before the first SYNC."""

    DEFAULT_RESET = "default-reset"
    """Try the port's reset sequences in turn."""
    NO_RESET = "no-reset"
    """Leave the lines alone: the chip is in download mode or runs a stub."""
    MANUAL = "manual"
    """Leave the lines alone, and wait until somebody has brought the chip into download mode by its buttons."""


BY_HAND = "hold BOOT, tap RESET, release BOOT"
"""What somebody has to do then."""


@unique
class After(Enum):
    """What to do with the chip at the end."""

    HARD_RESET = "hard-reset"
    """Restart it, so that it runs its firmware."""
    NO_RESET = "no-reset"
    """Leave it as it is, in its loader."""


BeforeReset = Before | reset.Sequence
"""What to do before the first SYNC; a sequence of one's own takes the place of the usual ones."""


def parse_before(text: str) -> BeforeReset:
    """Return the choice named `text`, which may be a custom sequence such as ``D0|R1|W0.1|D1|R0|W0.05|D0``.

    Raises:
        UsageError: It is neither.
    """
    try:
        return Before(text)
    except ValueError:
        if text[:1].upper() in ("D", "R", "U", "W") and any(digit in text for digit in "01"):
            return reset.parse_custom(text)
    raise UsageError(
        f"unknown reset {text!r}",
        hint="choose default-reset, manual, no-reset, or a sequence such as D0|R1|W0.1|D1|R0|W0.05|D0",
    )


def parse_after(text: str) -> After:
    """Return the choice named `text`.

    Raises:
        UsageError: There is none of that name.
    """
    try:
        return After(text)
    except ValueError:
        raise UsageError(f"unknown reset {text!r}", hint="choose hard-reset or no-reset") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How a loader was reached.

    Args:
        dialect: Which loader answered.
        strategy: The reset sequence before the SYNC that was answered; ``None`` if there was none.
        resets: Reset sequences run.
        syncs: SYNCs sent.
    """

    dialect: Dialect
    strategy: reset.Sequence | None
    resets: int
    syncs: int


def connect(
    session: Session,
    before: BeforeReset = Before.DEFAULT_RESET,
    *,
    first: reset.Sequence | None = None,
    greet: bool = False,
) -> Connection:
    """Make a loader answer.

    Args:
        session: A session whose port is open.
        before: How to bring the chip into download mode.
        first: Of the usual sequences the one to begin with, since it worked before.
        greet: Whether a loader may be waiting already, so that it is greeted before it is reset.

    Raises:
        ConnectError: None does; the error says what was heard instead.
        PortLostError: The port vanished.
    """
    return _Search(session, before, first, greet).run()


@unique
class _Mood(Enum):
    """What a chip shows of itself since it was last reset."""

    UNKNOWN = "unknown"
    WAITS = "waits"
    """It waits for a download, or sends frames."""
    RUNS = "runs"
    """It started in another mode."""
    RESTARTS = "restarts"
    """It waited for a download, and started anew by itself: what comes from it resets it."""


@dataclass(slots=True)
class _Search:
    """One search for a loader."""

    session: Session
    before: BeforeReset
    first: reset.Sequence | None
    greet: bool
    resets: int = 0
    syncs: int = 0
    _since: int = 0
    """How much had been received when the last reset began."""
    _sent_ns: list[int] = field(default_factory=list)
    """When each SYNC since then was sent."""
    _delays_ns: list[int] = field(default_factory=list)
    _slowest_ns: int = 0

    def run(self) -> Connection:
        session, clock = self.session, self.session.clock
        by_hand = self.before is Before.MANUAL
        limit_s = session.policy.manual_limit_s if by_hand else session.policy.connect_limit_s
        deadline = clock.now_ns() + ns(limit_s)
        session.clear_recent()
        rounds = _rounds(session, self.before, self.first)
        if self.greet:
            rounds = itertools.chain([(None, session.policy.resync_s)], rounds)
        for strategy, waits in rounds:
            name = strategy.name if strategy else BY_HAND if by_hand else "no reset"
            session.emit(Connecting(port=session.port.name, strategy=name))
            self._since = session.received
            self._sent_ns.clear()
            if strategy is not None:
                self._reset(strategy)
            answer = self._sync(waits, deadline, alone=strategy is None)
            if answer is not None:
                session.lag_s = self._lag_s()
                session.drain()
                session.clear_recent()
                session.dialect = answer.dialect
                session.emit(Connected(loader=answer.dialect.value, strategy=name, resets=self.resets, syncs=self.syncs))
                return Connection(dialect=answer.dialect, strategy=strategy, resets=self.resets, syncs=self.syncs)
            if clock.now_ns() >= deadline or (self.syncs >= _ECHO_SYNCS and is_echo(session.recent)):
                break
        raise diagnose(
            Attempt(
                port=session.port.name,
                resets=self.resets,
                syncs=self.syncs,
                has_lines=session.port.line_support is not LineSupport.NONE,
                heard=session.recent,
                received=session.received,
                lines_s=max(self._slowest_ns, min(self._delays_ns, default=0)) / NS_PER_S,
            )
        )

    def _reset(self, strategy: reset.Sequence) -> None:
        """Run a sequence, and notice how late the chip's first word comes after it."""
        session, clock = self.session, self.session.clock
        heard: list[int] = []

        def listen(until_ns: int) -> None:
            while session.receive(until_ns):
                heard.append(clock.now_ns())

        timing = reset.run(session.port, strategy, listen)
        self.resets += 1
        self._slowest_ns = max(self._slowest_ns, timing.slowest)
        if session.receive(clock.now_ns() + ns(session.policy.quiet_s)):
            heard.append(clock.now_ns())
        after = [at for at in heard if at > timing.released]
        if after and self._mood() is not _Mood.UNKNOWN:
            self._delays_ns.append(after[0] - timing.released)

    def _sync(self, waits: tuple[float, ...], deadline: int, *, alone: bool) -> SyncAnswer | None:
        """Send SYNCs with these waits, fewer if the chip runs something else, more if it waits for a download."""
        session = self.session
        policy, clock = session.policy, session.clock
        patient = False
        number = 0
        while number < len(waits):
            left = deadline - clock.now_ns()
            if left <= 0 and self.syncs:
                return None
            self.syncs += 1
            self._sent_ns.append(clock.now_ns())
            answer = session.sync_once(max(min(waits[number], left / NS_PER_S), policy.sync_s[0]))
            if answer is not None:
                return answer
            number += 1
            match self._mood():
                case _Mood.RUNS if number >= policy.sync_tries_running and not alone:
                    return None
                case _Mood.RESTARTS if not alone:
                    return None
                case _Mood.WAITS if not patient:
                    patient = True
                    waits = (*waits, *policy.sync_waiting_s)
        return None

    def _lag_s(self) -> float:
        """Return how late the loader answers, in seconds: since the first SYNC that was not spent on the baud detection."""
        session = self.session
        first = self._sent_ns[min(1, len(self._sent_ns) - 1)]
        lag = (session.clock.now_ns() - first) / NS_PER_S
        return lag if lag > session.policy.quiet_s else 0.0

    def _mood(self) -> _Mood:
        session = self.session
        count = session.received - self._since
        heard = session.recent[-count:] if count else b""
        if _CUT_SHORT in heard or any(boot.is_download_mode for boot in boot_log.parse_all(heard)[:-1]):
            return _Mood.RESTARTS
        report = boot_log.parse(heard)
        if report is not None and report.mode:
            return _Mood.WAITS if report.is_download_mode else _Mood.RUNS
        if (report is not None and report.waiting_for_download) or _ANSWER_START in heard:
            return _Mood.WAITS
        return _Mood.UNKNOWN


_ANSWER_START = END + bytes((1, Opcode.SYNC))
"""How an answer to SYNC begins, which may come in slowly."""
_CUT_SHORT = b"eeee"
"""What is left of the ROM's first word, ``ets``, when each start is cut short by what it makes the adapter do to RTS. Source:
catalogue row 53."""
_ECHO_SYNCS = 10
"""SYNCs after which an echo is believed to be one."""


def _rounds(
    session: Session, before: BeforeReset, first: reset.Sequence | None
) -> Iterator[tuple[reset.Sequence | None, tuple[float, ...]]]:
    """Yield reset sequences and the waits for the answer to each SYNC behind them, in the order in which to try them."""
    policy = session.policy
    sequences: tuple[reset.Sequence | None, ...]
    match before:
        case reset.Sequence():
            sequences = (before,)
        case Before.DEFAULT_RESET:
            usual = reset.strategies(session.port.line_support)
            sequences = (*(one for one in usual if one == first), *(one for one in usual if one != first)) or (None,)
        case Before.NO_RESET | Before.MANUAL:
            sequences = (None,)
    rounds = policy.sync_rounds
    for waits in itertools.chain(rounds, itertools.repeat(rounds[-1])):
        for sequence in sequences:
            yield sequence, waits
