"""The page in a real browser: it loads without a complaint, fits every screen, and its filter does what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.scorecard.html import html
from simulator.scorecard.view import View, anchor
from tests.browser import MissingError
from tests.cdp import Tab
from tests.scorecards import everything

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

SHOWN = "document.querySelectorAll('details.case:not([hidden])').length"
LINES = "[...document.querySelectorAll('tbody tr:not([hidden]) th code')].map((code) => code.textContent)"


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    try:
        opened = Tab()
    except MissingError as missing:
        pytest.skip(str(missing))
    with opened:
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "score.html"
    path.write_text(html(everything()), encoding="utf-8")
    return path


def choose(tab: Tab, **values: str) -> None:
    for name, value in values.items():
        tab.value(f"document.forms[0].elements[{name!r}].value = {value!r}")
    tab.value("document.forms[0].dispatchEvent(new Event('input'))")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [375, 390, 768, 1280])
def test_the_page_fits_and_nothing_complains(tab: Tab, page: Path, width: int, dark: bool) -> None:
    tab.open(page, width=width, dark=dark)
    assert tab.value("document.documentElement.scrollWidth") <= width
    tab.value("document.querySelectorAll('details').forEach((item) => (item.open = true))")
    assert tab.value("document.documentElement.scrollWidth") <= width
    assert tab.complaints == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_has_enough_contrast(tab: Tab, page: Path, dark: bool) -> None:
    tab.open(page, dark=dark)
    tab.value("document.querySelectorAll('details').forEach((item) => (item.open = true))")
    assert tab.value(CONTRAST) == []


def test_the_filter_shows_what_fits_and_says_how_many(tab: Tab, page: Path) -> None:
    tab.open(page)
    described = list(View(everything()).described.values())
    assert tab.value(SHOWN) == len(described)
    choose(tab, flasher="esptool@3.3")
    assert tab.value(SHOWN) == sum(entry.flasher == "esptool@3.3" for entry in described)
    choose(tab, verdict="H")
    assert tab.value(SHOWN) == 2
    assert tab.value("document.forms[0].elements.found.value") == f"2 of {len(described)} cases"
    assert tab.value(LINES) == ["h2d-drop"]
    choose(tab, flasher="", verdict="bad", text="")
    assert tab.value(SHOWN) == sum(entry.verdict.is_bad for entry in described)
    choose(tab, verdict="", text="NMEA nowhere")
    assert tab.value(SHOWN) == 0
    assert tab.value("document.getElementById('none').hidden") is False
    choose(tab, text="any,77")
    assert tab.value(SHOWN) == 1


def test_a_link_opens_its_case_even_if_the_filter_hides_it(tab: Tab, page: Path) -> None:
    tab.open(page)
    target = next(anchor(entry) for entry in everything().cases if entry.preset == "preset-0")
    choose(tab, verdict="F")
    tab.value(f"location.hash = {target!r}; new Promise((done) => setTimeout(done, 50))")
    assert tab.value(f"document.getElementById({target!r}).closest('details').open")
    assert tab.value(f"!document.getElementById({target!r}).closest('details').hidden")


def test_the_page_says_everything_without_its_script(tab: Tab, page: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.html"
    text = page.read_text(encoding="utf-8")
    start = text.index("<script>")
    bare.write_text(text[:start] + text[text.index("</script>", start) :], encoding="utf-8")
    tab.open(bare)
    assert tab.value("document.getElementById('filter').checkVisibility()") is False
    assert tab.value(SHOWN) == len(View(everything()).described)


CONTRAST = """(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (text) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const over = ([r, g, b, a], below) => [r, g, b].map((v, i) => (v * a + below[i] * (255 - a)) / 255);
  const behind = (element) => {
    if (!element) return [255, 255, 255];
    const colour = rgba(getComputedStyle(element).backgroundColor);
    return colour[3] === 255 ? colour : over(colour, behind(element.parentElement));
  };
  const bad = new Set();
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility() || element.closest('script, style, option, .defs, title')) continue;
    const style = getComputedStyle(element);
    const front = rgba(element instanceof SVGElement ? style.fill : style.color);
    if (!front[3]) continue;
    const back = behind(element);
    const [a, b] = [light(over(front, back)), light(back)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) bad.add(`${element.tagName}.${element.getAttribute('class')} ${ratio.toFixed(2)}`);
  }
  return [...bad];
})()"""
"""Finds text whose contrast with what is behind it is less than 4.5 to 1. Source: WCAG 2.2, success criterion 1.4.3."""
