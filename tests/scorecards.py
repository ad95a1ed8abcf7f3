"""Scorecards for tests: made by hand, with every verdict, a sweep, and a flasher that prints what does harm elsewhere."""

from __future__ import annotations

from simulator.campaign.oracle import Verdict
from simulator.record.ladder import Kind, Step
from simulator.record.transits import Fate
from simulator.scorecard.card import About, Card, Entry, Meta

HOSTILE = (
    "</q></dd><script>alert(1)</script><img src=x onerror=alert(2)> | a|b `code` **bold** [x](http://evil.example) "
    "@everyone #1 \x1b[31mred\x1b[0m \x00 \u202egnp.exe ]]> <!-- &amp; \"'"
)
"""A message that tries to be markup in every form that there is."""

FLASHERS = {"flashcore": "0.1.0", "esptool@3.3": "3.3"}


def entry(number: int, verdict: Verdict = Verdict.RECOVERED, **others: object) -> Entry:
    """Return a case; `number` makes its id."""
    fields: dict[str, object] = {
        "flasher": "flashcore",
        "version": "0.1.0",
        "suite": "smoke",
        "preset": "silent-line",
        "case": f"{number:016x}",
        "verdict": verdict,
        "diagnosis": "" if verdict is Verdict.RECOVERED else "connect.no_answer: not one byte came back",
        "virtual_s": 12.25,
        "clean_virtual_s": 4.5,
        "fired": 3,
        "repeat": f"espsim score flashcore --board esp32-devkitc --seed {number} --fault silent-line",
        "reason": "the diagnosis matches 'not one byte'",
        "faults": ("silent-line",),
    }
    return Entry(**{**fields, **others})  # type: ignore[arg-type]


LADDER = (
    Step(at_ns=0, end_ns=0, kind=Kind.PORT, title="port opened"),
    Step(at_ns=1_000_000, end_ns=1_000_000, kind=Kind.LINES, title="DTR asserted, RTS asserted"),
    Step(at_ns=2_000_000, end_ns=2_000_000, kind=Kind.CHIP, title="reset POWERON_RESET strap 0x03"),
    Step(at_ns=3_000_000, end_ns=4_000_000, kind=Kind.TO_CHIP, title="SYNC", size=44, count=7),
    Step(at_ns=5_000_000, end_ns=6_000_000, kind=Kind.TO_HOST, title="SYNC answer", fate=Fate.LOST, fault="d2h:always:drop"),
    Step(at_ns=6_000_000, end_ns=9_000_000, kind=Kind.SKIPPED, title="READ_REG \u00d712", count=12),
    Step(at_ns=9_000_000_000, end_ns=9_000_000_000, kind=Kind.FAULT, title="chip:at(9):brownout struck"),
    Step(at_ns=9_100_000_000, end_ns=9_100_000_000, kind=Kind.TO_HOST, title="text", detail=HOSTILE),
)


def card(*cases: Entry, **meta: object) -> Card:
    """Return a card of these cases."""
    fields: dict[str, object] = {
        "espsim": "0.1.0",
        "suite": "smoke",
        "board": "esp32-devkitc",
        "seed": 0,
        "size": 65536,
        "plan": "0123456789abcdef",
        "complete": True,
        "flashers": FLASHERS,
        "planned": {"flashcore": 1, "esptool@3.3": 1},
        "coverage": {"flashcore": "1 of 1 points", "esptool@3.3": "1 of 1 points"},
        "presets": {
            "silent-line": About(
                title="Not one byte comes back",
                rank=5,
                kind="no response",
                duty="Stop, and say that nothing at all was received.",
                transient=False,
                evidence=("espressif/esptool#840", "javascript:alert(3)#1"),
                faults=("d2h:always:drop",),
                modelled="at the port only",
            )
        },
    }
    return Card(meta=Meta(**{**fields, **meta}), cases=cases)  # type: ignore[arg-type]


def everything() -> Card:
    """Return a card with each verdict, one hostile message, a sweep, and a ladder."""
    singles = [
        entry(number, verdict, preset=f"preset-{number}", ladder=LADDER if number % 2 else ())
        for number, verdict in enumerate(Verdict)
    ]
    other = {"flasher": "esptool@3.3", "version": "3.3"}
    hostile = entry(100, Verdict.FALSE_SUCCESS, diagnosis=HOSTILE, reason=HOSTILE, repeat=HOSTILE, ladder=LADDER, **other)
    points = [
        entry(
            200 + number,
            Verdict.HUNG if number in (3, 77) else Verdict.RECOVERED,
            suite="sweep",
            preset="h2d-drop",
            faults=(f"h2d:nth_frame(any,{number}):drop",),
            repeat=f"espsim score esptool@3.3 --fault 'h2d:nth_frame(any,{number}):drop'",
            **other,
        )
        for number in range(1, 121)
    ]
    return card(
        entry(1000, preset="clean", faults=(), fired=0),
        *singles,
        entry(101),
        hostile,
        *points,
        planned={"flashcore": 12, "esptool@3.3": 200},
        coverage={"flashcore": "8 of 12 points", "esptool@3.3": "121 of 200 points"},
    )
