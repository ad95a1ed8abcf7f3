"""Reset sequences as data: what DTR and RTS do, and when, to bring a chip into download mode or out of it.

On nearly every board two transistors connect the lines to EN and IO0: RTS alone holds the chip in reset, DTR alone holds IO0
low, both or none do nothing. A chip enters download mode if IO0 is low when EN rises. The classic order passes through "both",
where EN already rises and IO0 is not low yet, so it works only if the capacitor at EN is slower than the driver; the tight
order sets both lines in one step and has no such race, but needs a port that can. In a step true is asserted, false released.
Boards, drivers and hubs differ, so there are further ways to try after these: a long hold for large capacitors, a pause between
the two writes or their other order for drivers that delay one of them, and the two lines exchanged.
Source: docs/sources.md, Reset circuit and Reset sequences; fault catalogue row 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from flashcore.errors import UsageError
from flashcore.port import LineSupport, Port, ns

HOLD_S = 0.1
"""How long EN is held low, in seconds: what all flashers use."""
SHORT_DELAY_S = 0.05
"""How long IO0 is held low after EN is released: enough for up to 1 uF at EN."""
LONG_DELAY_S = 0.55
"""The second try's delay, for slow drivers and large capacitors."""
LONG_HOLD_S = 0.5
"""How long EN is held low where 0.1 s does not discharge its capacitor. Source: fault catalogue row 2 (0.1 to 2 s)."""
LONGEST_DELAY_S = 2.0
"""How long IO0 is held low for 100 uF at EN, which rises in 1.4 s."""
SPREAD_S = 0.1
"""Pause between asserting DTR and releasing RTS. Source: fault catalogue row 2 (esptool#706: 0.1 s cured it)."""
LONGEST_WAIT_S = 60.0
"""Longest wait that a custom sequence may ask for, in seconds."""


@dataclass(frozen=True, slots=True)
class Dtr:
    """Assert or release DTR."""

    asserted: bool


@dataclass(frozen=True, slots=True)
class Rts:
    """Assert or release RTS."""

    asserted: bool


@dataclass(frozen=True, slots=True)
class Both:
    """Set both lines in one step."""

    dtr: bool
    rts: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass, in seconds."""

    seconds: float


Step = Dtr | Rts | Both | Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """Named steps, run in order.

    Args:
        name: For people.
        steps: What to do.
        exchanged: Whether it is made for boards on which DTR pulls EN and RTS pulls IO0.
        keeps_dtr: Whether DTR stays asserted, for adapters that move RTS by themselves.
    """

    name: str
    steps: tuple[Step, ...]
    exchanged: bool = False
    keeps_dtr: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How the lines behaved while a sequence ran, in nanoseconds.

    Args:
        released: When the last change before the last wait was done: from then on the chip may start.
        slowest: Longest time that one change of the lines took.
    """

    released: int
    slowest: int


def classic(delay_s: float) -> Sequence:
    """Return the order that works on every port: EN low, then IO0 low, then EN high, one line at a time."""
    steps = (Dtr(False), Rts(True), Wait(HOLD_S), Dtr(True), Rts(False), Wait(delay_s), Dtr(False))
    return Sequence(name=f"classic, {delay_s:g} s", steps=steps)


def tight(delay_s: float, hold_s: float = HOLD_S) -> Sequence:
    """Return the order without a race, for ports that set both lines in one step."""
    steps = (
        Both(False, False),
        Both(True, True),
        Both(False, True),
        Wait(hold_s),
        Both(True, False),
        Wait(delay_s),
        Both(False, False),
        Dtr(False),
    )
    return Sequence(name=f"tight, {delay_s:g} s", steps=steps)


CLASSIC = classic(SHORT_DELAY_S)
CLASSIC_SLOW = classic(LONG_DELAY_S)
TIGHT = tight(SHORT_DELAY_S)
TIGHT_SLOW = tight(LONG_DELAY_S)
LONG_HOLD = tight(LONGEST_DELAY_S, LONG_HOLD_S)
SPREAD = Sequence(
    name="classic, spread",
    steps=(Dtr(False), Rts(True), Wait(HOLD_S), Dtr(True), Wait(SPREAD_S), Rts(False), Wait(SHORT_DELAY_S), Dtr(False)),
)
INVERSE = Sequence(
    name="classic, other order",
    steps=(Rts(True), Dtr(False), Wait(HOLD_S), Rts(False), Dtr(True), Wait(SHORT_DELAY_S), Dtr(False)),
)
KEEPING_DTR = Sequence(
    name="tight, DTR kept",
    steps=(Both(False, False), Both(True, True), Both(False, True), Wait(HOLD_S), Both(True, False), Wait(SHORT_DELAY_S)),
    keeps_dtr=True,
)
"""For an adapter whose flow control asserts RTS when the chip answers, which resets it unless DTR is asserted too (CP2102C).
Source: docs/sources.md, Reset sequences; fault catalogue row 53."""
EXCHANGED = Sequence(
    name="lines exchanged",
    steps=(Both(True, False), Wait(HOLD_S), Both(False, True), Wait(SHORT_DELAY_S), Both(True, True)),
    exchanged=True,
)
"""It ends with both lines asserted: with two transistors that is as good as released, and behind an inverter it is the only
state that lets the chip run."""
HARD_RESET = Sequence(name="hard reset", steps=(Dtr(False), Rts(True), Wait(HOLD_S), Rts(False)))
"""Restart the chip with IO0 high, so that it boots from flash."""
HARD_RESET_KEEPING_DTR = Sequence(
    name="hard reset, DTR kept",
    steps=(Dtr(False), Rts(True), Wait(HOLD_S), Dtr(True), Wait(HOLD_S), Rts(False)),
    keeps_dtr=True,
)
"""The same where DTR must be asserted before the chip says a word: EN rises with both lines asserted, and IO0 is high then."""
HARD_RESET_EXCHANGED = Sequence(
    name="hard reset, lines exchanged", steps=(Both(True, False), Wait(HOLD_S), Both(True, True)), exchanged=True
)
"""The same where the lines are exchanged."""


def hard_reset(worked: Sequence | None) -> Sequence:
    """Return what restarts a chip that the sequence `worked` brought into download mode."""
    if worked is None:
        return HARD_RESET
    if worked.keeps_dtr:
        return HARD_RESET_KEEPING_DTR
    return HARD_RESET_EXCHANGED if worked.exchanged else HARD_RESET


def strategies(support: LineSupport) -> tuple[Sequence, ...]:
    """Return the sequences worth trying on such a port, best first; none for a port without lines."""
    match support:
        case LineSupport.ATOMIC:
            return (TIGHT, TIGHT_SLOW, KEEPING_DTR, CLASSIC, CLASSIC_SLOW, EXCHANGED, SPREAD, INVERSE, LONG_HOLD)
        case LineSupport.SEQUENTIAL:
            return (CLASSIC, CLASSIC_SLOW, KEEPING_DTR, EXCHANGED, SPREAD, INVERSE, LONG_HOLD)
        case LineSupport.NONE:
            return ()


def adapt(sequence: Sequence, support: LineSupport) -> Sequence:
    """Return `sequence` as a port with such lines can run it: on a sequential port DTR changes before RTS."""
    if support is not LineSupport.SEQUENTIAL:
        return sequence
    steps: list[Step] = []
    for step in sequence.steps:
        match step:
            case Both(dtr, rts):
                steps += [Dtr(dtr), Rts(rts)]
            case _:
                steps.append(step)
    return replace(sequence, steps=tuple(steps))


def run(port: Port, sequence: Sequence, wait: Callable[[int], None] | None = None) -> Timing:
    """Do what `sequence` says, on the port's own clock.

    Args:
        port: Whose lines.
        sequence: What to do.
        wait: Called in place of sleeping, with the time until which to wait; somebody may listen meanwhile.

    Raises:
        LinesUnsupportedError: The port has no modem lines.
        PortLostError: The port vanished.
    """
    clock = port.clock
    changed = released = clock.now_ns()
    slowest = 0
    for step in adapt(sequence, port.line_support).steps:
        started = clock.now_ns()
        match step:
            case Dtr(asserted):
                port.set_lines(dtr=asserted)
            case Rts(asserted):
                port.set_lines(rts=asserted)
            case Both(dtr, rts):
                port.set_lines(dtr=dtr, rts=rts)
            case Wait(seconds):
                released = changed
                (wait or clock.sleep_until)(started + ns(seconds))
                continue
        changed = clock.now_ns()
        slowest = max(slowest, changed - started)
    return Timing(released=released, slowest=slowest)


def parse_custom(text: str) -> Sequence:
    """Return the sequence written as ``D0|R1|W0.1|D1|R0|W0.05|D0``; ``U1,0`` sets DTR and RTS in one step, W is in seconds.

    Raises:
        UsageError: A step cannot be read; the message names it.
    """
    steps: list[Step] = []
    for number, part in enumerate(text.split("|"), start=1):
        step = _parse_step(part.strip())
        if step is None:
            raise UsageError(
                f"step {number} of the reset sequence, {part.strip()!r}, cannot be read",
                hint="write D0, D1, R0, R1, U<dtr>,<rts> or W<seconds> (at most 60), separated by |, "
                'for example "D0|R1|W0.1|D1|R0|W0.05|D0"',
                code="usage.reset_sequence",
                context={"step": number, "text": part.strip()},
            )
        steps.append(step)
    return Sequence(name="custom", steps=tuple(steps))


_LEVELS = {"0": False, "1": True}


def _parse_step(part: str) -> Step | None:
    kind, rest = part[:1].upper(), part[1:].strip()
    match kind:
        case "D" if rest in _LEVELS:
            return Dtr(_LEVELS[rest])
        case "R" if rest in _LEVELS:
            return Rts(_LEVELS[rest])
        case "U":
            dtr, _, rts = (piece.strip() for piece in rest.partition(","))
            return Both(_LEVELS[dtr], _LEVELS[rts]) if dtr in _LEVELS and rts in _LEVELS else None
        case "W":
            try:
                seconds = float(rest)
            except ValueError:
                return None
            return Wait(seconds) if 0 <= seconds <= LONGEST_WAIT_S else None
        case _:
            return None
