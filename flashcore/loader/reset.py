"""Reset sequences as data: what DTR and RTS do, and when, to bring a chip into download mode or out of it.

On nearly every board two transistors connect the lines to EN and IO0: RTS alone holds the chip in reset, DTR alone holds IO0
low, both or none do nothing. A chip enters download mode if IO0 is low when EN rises. The classic order passes through "both",
where EN already rises and IO0 is not low yet, so it works only if the capacitor at EN is slower than the driver; the tight
order sets both lines in one step and has no such race, but needs a port that can. In a step true is asserted, false released.
Source: docs/sources.md, Reset circuit and Reset sequences.
"""

from __future__ import annotations

from dataclasses import dataclass

from flashcore.errors import UsageError
from flashcore.port import LineSupport, Port, ns

HOLD_S = 0.1
"""How long EN is held low, in seconds: what all flashers use."""
SHORT_DELAY_S = 0.05
"""How long IO0 is held low after EN is released: enough for up to 1 uF at EN."""
LONG_DELAY_S = 0.55
"""The second try's delay, for slow drivers and large capacitors."""
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
    """Named steps, run in order."""

    name: str
    steps: tuple[Step, ...]


def classic(delay_s: float) -> Sequence:
    """Return the order that works on every port: EN low, then IO0 low, then EN high, one line at a time."""
    steps = (Dtr(False), Rts(True), Wait(HOLD_S), Dtr(True), Rts(False), Wait(delay_s), Dtr(False))
    return Sequence(name=f"classic, {delay_s:g} s", steps=steps)


def tight(delay_s: float) -> Sequence:
    """Return the order without a race, for ports that set both lines in one step."""
    steps = (
        Both(False, False),
        Both(True, True),
        Both(False, True),
        Wait(HOLD_S),
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
HARD_RESET = Sequence(name="hard reset", steps=(Dtr(False), Rts(True), Wait(HOLD_S), Rts(False)))
"""Restart the chip with IO0 high, so that it boots from flash."""


def strategies(support: LineSupport) -> tuple[Sequence, ...]:
    """Return the sequences worth trying on such a port, best first; none for a port without lines."""
    match support:
        case LineSupport.ATOMIC:
            return (TIGHT, TIGHT_SLOW, CLASSIC, CLASSIC_SLOW)
        case LineSupport.SEQUENTIAL:
            return (CLASSIC, CLASSIC_SLOW)
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
    return Sequence(name=sequence.name, steps=tuple(steps))


def run(port: Port, sequence: Sequence) -> None:
    """Do what `sequence` says, on the port's own clock.

    Raises:
        LinesUnsupportedError: The port has no modem lines.
        PortLostError: The port vanished.
    """
    for step in adapt(sequence, port.line_support).steps:
        match step:
            case Dtr(asserted):
                port.set_lines(dtr=asserted)
            case Rts(asserted):
                port.set_lines(rts=asserted)
            case Both(dtr, rts):
                port.set_lines(dtr=dtr, rts=rts)
            case Wait(seconds):
                port.clock.sleep_until(port.clock.now_ns() + ns(seconds))


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
