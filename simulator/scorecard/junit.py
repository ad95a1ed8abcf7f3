"""The scorecard as JUnit XML, as CI services read it: a suite per flasher, a test per case, seconds are virtual ones.

Bad verdicts are failures. What was not exercised, and what the model does not know, is skipped: that says nothing about the
flasher.
Source: the schema that Jenkins' xUnit plug-in has for JUnit (``junit-10.xsd``).
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as Xml

from simulator.scorecard.card import Card, Entry
from simulator.scorecard.grade import SHOWS_NOTHING, of
from simulator.scorecard.text import visible


def junit(card: Card) -> str:
    """Return the card as JUnit XML."""
    whole = Xml.Element("testsuites", {"name": f"espsim {visible(card.meta.suite)}", **_figures(card.cases)})
    for flasher, version in card.meta.flashers.items():
        own = of(card.cases, flasher)
        skipped = sum(entry.verdict in SHOWS_NOTHING for entry in own)
        suite = Xml.SubElement(whole, "testsuite", {"name": visible(flasher), **_figures(own), "skipped": str(skipped)})
        properties = Xml.SubElement(suite, "properties")
        facts = {
            "version": version,
            "espsim": card.meta.espsim,
            "suite": card.meta.suite,
            "board": card.meta.board,
            "seed": str(card.meta.seed),
            "plan": card.meta.plan,
            "coverage": card.meta.coverage.get(flasher, ""),
        }
        for name, value in facts.items():
            Xml.SubElement(properties, "property", name=name, value=visible(value))
        for entry in own:
            _case(suite, entry)
    Xml.indent(whole)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(whole, encoding="unicode") + "\n"


def _case(suite: Xml.Element, entry: Entry) -> None:
    # In a sweep many cases share a preset; the faults tell them apart.
    name = entry.preset if entry.faults in ((), (entry.preset,)) else f"{entry.preset}: {', '.join(entry.faults)}"
    case = Xml.SubElement(
        suite,
        "testcase",
        name=visible(name),
        classname=visible(f"espsim.{entry.suite}.{entry.flasher}"),
        time=f"{entry.virtual_s:.3f}",
    )
    message = visible(f"{entry.verdict}: {entry.reason}")
    said = f"it said: {entry.diagnosis}\n" if entry.diagnosis else ""
    text = visible(f"{entry.reason}\n{said}repeat: {entry.repeat}\n")
    if entry.verdict in SHOWS_NOTHING:
        Xml.SubElement(case, "skipped", message=message)
    elif entry.verdict.is_bad:
        Xml.SubElement(case, "failure", message=message, type=str(entry.verdict)).text = text
    if not entry.verdict.is_bad:
        Xml.SubElement(case, "system-out").text = text


def _figures(entries: Sequence[Entry]) -> dict[str, str]:
    return {
        "tests": str(len(entries)),
        "failures": str(sum(entry.verdict.is_bad for entry in entries)),
        "errors": "0",
        "time": f"{sum(entry.virtual_s for entry in entries):.3f}",
    }
