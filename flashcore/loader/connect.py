"""Reach a loader: reset sequences in turn, SYNC after each, and a diagnosis when all is in vain.

The first rounds are quick; later ones repeat the sequences with more patience, for slow hubs and network links. One valid
answer is enough, since on a noisy line one of the eight is often broken (catalogue row 33); the others are drained. On silicon
the first SYNC is always spent on the baud detection (oracle, Limits), so no round relies on one. It ends within
`Policy.connect_limit_s`, plus at most one answer's wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, unique

from flashcore.errors import UsageError
from flashcore.loader import reset
from flashcore.loader.diagnosis import Attempt, diagnose, is_echo
from flashcore.loader.progress import Connected, Connecting
from flashcore.loader.session import Session
from flashcore.port import NS_PER_S, LineSupport, ns
from flashcore.protocol.exchange import Dialect


@unique
class Before(Enum):
    """What to do before the first SYNC."""

    DEFAULT_RESET = "default-reset"
    """Try the port's reset sequences in turn."""
    NO_RESET = "no-reset"
    """Leave the lines alone: the chip is in download mode or runs a stub."""


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
        f"unknown reset {text!r}", hint="choose default-reset, no-reset, or a sequence such as D0|R1|W0.1|D1|R0|W0.05|D0"
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


def connect(session: Session, before: BeforeReset = Before.DEFAULT_RESET) -> Connection:
    """Make a loader answer.

    Raises:
        ConnectError: None does; the error says what was heard instead.
        PortLostError: The port vanished.
    """
    policy, clock = session.policy, session.clock
    deadline = clock.now_ns() + ns(policy.connect_limit_s)
    resets = syncs = 0
    session.clear_recent()
    for strategy, patience, tries in _rounds(session, before):
        name = strategy.name if strategy else "no reset"
        session.emit(Connecting(port=session.port.name, strategy=name))
        if strategy is not None:
            reset.run(session.port, strategy)
            resets += 1
        for _ in range(tries):
            left = deadline - clock.now_ns()
            if left <= 0 and syncs:
                break
            syncs += 1
            answer = session.sync_once(max(min(patience, left / NS_PER_S), policy.sync_s[0]))
            if answer is not None:
                session.drain()
                session.clear_recent()
                session.dialect = answer.dialect
                session.emit(Connected(loader=answer.dialect.value, strategy=name, resets=resets, syncs=syncs))
                return Connection(dialect=answer.dialect, strategy=strategy, resets=resets, syncs=syncs)
        if clock.now_ns() >= deadline or (syncs >= 2 * tries and is_echo(session.recent)):
            break
    raise diagnose(
        Attempt(
            port=session.port.name,
            resets=resets,
            syncs=syncs,
            has_lines=session.port.line_support is not LineSupport.NONE,
            heard=session.recent,
            received=session.received,
        )
    )


def _rounds(session: Session, before: BeforeReset) -> Iterator[tuple[reset.Sequence | None, float, int]]:
    """Yield reset sequence, wait for an answer in seconds, and number of SYNCs, in the order in which to try them."""
    policy = session.policy
    sequences: tuple[reset.Sequence | None, ...]
    match before:
        case reset.Sequence():
            sequences = (before,)
        case Before.DEFAULT_RESET:
            sequences = reset.strategies(session.port.line_support) or (None,)
        case Before.NO_RESET:
            sequences = (None,)
    for patience, tries in zip(policy.sync_s, policy.sync_tries, strict=True):
        for sequence in sequences:
            yield sequence, patience, tries
    while True:
        for sequence in sequences:
            yield sequence, policy.sync_s[-1], policy.sync_tries[-1]
