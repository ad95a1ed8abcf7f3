"""A ladder as a drawing: flasher left, chip right, time downwards.

The drawings of a page share the shapes that `SHAPES` defines, so a rung costs a line of text. Everything that a shape or a
colour says is said in words too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from flashcore.port import NS_PER_S
from simulator.record.ladder import Kind, Step
from simulator.record.transits import Fate
from simulator.scorecard.text import one_line, plural

WIDTH = 640
HOST, CHIP = 66, 624
"""Where the two lifelines are."""
MIDDLE = (HOST + CHIP) // 2
LEFT = HOST + 12
"""Where labels begin: all at one edge, which is in sight on the narrowest screen too."""

SILENCE_NS = NS_PER_S * 3 // 10
"""How long nothing must happen to be drawn as a gap, in nanoseconds."""

LABEL = 84
"""Most characters of a label."""

_TOP = 30
_WORDS = {
    Fate.LATE: "late",
    Fate.DOUBLED: "arrives twice",
    Fate.DAMAGED: "damaged",
    Fate.LOST: "lost",
    Fate.MISHEARD: "misheard",
    Fate.INVENTED: "sent by the fault",
}
_HEAD = {Kind.TO_CHIP: "M{0} 0l-9-4v8z", Kind.TO_HOST: "M{0} 0l9-4v8z"}


def _shapes() -> Iterator[str]:
    for way, start, end, sign in ((Kind.TO_CHIP, HOST, CHIP, 1), (Kind.TO_HOST, CHIP, HOST, -1)):
        head = f'<path class="s" d="{_HEAD[way].format(end)}"/>'
        second = f'<path class="s" d="{_HEAD[way].format(end - sign * 8)}"/>'
        tooth = f"{sign * 8} 12 {sign * 8}-12"
        zigzag = f'd="M{start} 0H{MIDDLE - sign * 24}l{sign * 8}-6 {tooth} {tooth} {sign * 8} 6H{end}"'
        born = start + sign * 260
        bodies = {
            Fate.DELIVERED: f'<path d="M{start} 0H{end}"/>{head}',
            Fate.LATE: f'<path class="d" d="M{start} 0H{end}"/>{head}',
            Fate.DOUBLED: f'<path d="M{start}-2H{end}M{start} 2H{end}"/>{head}{second}',
            Fate.DAMAGED: f"<path {zigzag}/>{head}",
            Fate.MISHEARD: f'<path class="d" {zigzag}/>{head}',
            Fate.LOST: f'<path d="M{start} 0H{start + sign * 360}m-6-6l12 12m0-12l-12 12"/>',
            Fate.INVENTED: f'<path d="M{born}-5v10M{born} 0H{end}"/>{head}',
        }
        yield from (f'<g id="{way}-{fate}">{body}</g>' for fate, body in bodies.items())


SHAPES = '<svg class="defs" width="0" height="0" aria-hidden="true"><defs>' + "".join(_shapes()) + "</defs></svg>"
"""What every drawing refers to; once on a page."""


def ladder_svg(steps: Sequence[Step], name: str) -> str:
    """Return the drawing of a ladder.

    Args:
        steps: The ladder.
        name: What it shows, for those who cannot see it.
    """
    rows: list[str] = []
    breaks: list[tuple[int, int]] = []
    y = _TOP
    last_ns: int | None = None
    shown = ""
    for step in steps:
        if last_ns is not None and step.at_ns - last_ns > SILENCE_NS and step.kind is not Kind.SKIPPED:
            breaks.append((y, y + 22))
            rows.append(_text(LEFT, y + 15, f"{(step.at_ns - last_ns) / NS_PER_S:.1f} s without a sign", "q"))
            y += 22
        if step.kind is Kind.SKIPPED:
            breaks.append((y, y + 26))
        elif (moment := f"{step.at_ns / NS_PER_S:.3f}") != shown:
            rows.append(_text(HOST - 12, y + 13, moment, "t"))
            shown = moment
        drawn, height = _row(step, y)
        rows.append(drawn)
        y += height
        last_ns = max(last_ns or 0, step.end_ns)
    y += 8
    return (
        f'<svg class="ladder" viewBox="0 0 {WIDTH} {y + 6}" width="{WIDTH}" role="group" aria-label="{escape(name)}">'
        f"{_text(HOST, 14, 'flasher', 'e')}{_text(CHIP, 14, 'chip', 'e n')}{_text(HOST - 12, 14, 's', 't')}"
        f'<path class="l" d="{_lifelines(breaks, y)}"/>' + "".join(rows) + "</svg>"
    )


def _lifelines(breaks: Sequence[tuple[int, int]], end: int) -> str:
    parts = []
    for x in (HOST, CHIP):
        start = 20
        for first, last in breaks:
            parts.append(f"M{x} {start}V{first + 2}")
            start = last - 2
        parts.append(f"M{x} {start}V{end}")
    return "".join(parts)


def _row(step: Step, y: int) -> tuple[str, int]:
    """Return a step's drawing and its height."""
    match step.kind:
        case Kind.TO_CHIP | Kind.TO_HOST:
            return _frame(step, y)
        case Kind.SKIPPED:
            return _text(LEFT, y + 17, f"\u22ee {plural(step.count, 'step')}: {step.title}", "q"), 26
        case Kind.FAULT:
            detail = f": {step.detail}" if step.detail else ""
            return _text(LEFT, y + 14, f"\u21af {_counted(step)}{detail}", "f"), 22
        case Kind.CHIP | Kind.GAP:
            word = "the model does not know: " if step.kind is Kind.GAP else ""
            return f'<circle class="p" cx="{CHIP}" cy="{y + 9}" r="3.5"/>' + _text(
                CHIP - 12, y + 13, word + _counted(step), "n"
            ), 20
        case _:
            return f'<path class="p" d="M{HOST - 4} {y + 5}h8v8h-8z"/>' + _text(LEFT, y + 13, _counted(step), ""), 20


def _frame(step: Step, y: int) -> tuple[str, int]:
    title = _counted(step)
    detail = f"{step.detail}" if step.detail else ""
    fate = _WORDS.get(step.fate, "")
    room = LABEL - len(title) - len(fate)
    whole = " \u00b7 ".join(part for part in (title, detail, fate) if part)
    parts = f'<tspan class="b">{escape(one_line(title))}</tspan>'
    if detail:
        parts += " " + escape(one_line(detail, max(20, room)))
    if fate:
        style = ' class="f"' if step.strikes else ""
        parts += f" <tspan{style}>\u00b7 {fate}</tspan>"
    kind = " f" if step.strikes or step.refused else ""
    full = f"<title>{escape(one_line(whole, 1000))}</title>" if len(whole) > LABEL else ""
    drawn = f'<text x="{LEFT}" y="{y + 13}">{full}{parts}</text>'
    drawn += f'<use class="a{kind}" href="#{step.kind}-{step.fate}" y="{y + 21}"/>'
    if not step.fault:
        return drawn, 30
    return drawn + _text(LEFT, y + 40, f"\u21af {step.fault}", "f"), 48


def _counted(step: Step) -> str:
    return step.title + (f" \u00d7{step.count}" if step.count > 1 else "")


def _text(x: int, y: int, text: str, style: str) -> str:
    full = f"<title>{escape(one_line(text, 1000))}</title>" if len(text) > LABEL else ""
    kind = f' class="{style}"' if style else ""
    return f'<text{kind} x="{x}" y="{y}">{full}{escape(one_line(text, LABEL))}</text>'
