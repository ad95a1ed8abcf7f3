"""The forms of a scorecard: what each says, that it is well-formed, and that nothing a flasher prints takes effect in it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from flashcore.errors import ScenarioError
from simulator.campaign.oracle import Verdict
from simulator.cli.main import status_of
from simulator.scorecard.card import Card
from simulator.scorecard.grade import bad_kinds, changes, coverage, duty, missing, rows
from simulator.scorecard.html import html
from simulator.scorecard.junit import junit
from simulator.scorecard.ladder_svg import ladder_svg
from simulator.scorecard.markdown import escaped, markdown
from simulator.scorecard.marks import MARKS
from simulator.scorecard.text import visible
from simulator.scorecard.view import DETAILS, View
from tests.scorecards import HOSTILE, LADDER, card, entry, everything

VOID = {"meta", "br", "input", "img", "hr", "link"}


class Page(HTMLParser):
    """A page as a browser would take it apart, with a complaint about each tag that is not closed as it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if len(dict(attrs)) < len(attrs):
            self.wrong.append(f"<{tag}> has an attribute twice")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


# --- figures ---------------------------------------------------------------------------------------------------------


def test_coverage_counts_points_that_were_visited_and_show_something() -> None:
    cases = [
        entry(0, preset="clean"),
        entry(1),
        entry(2, Verdict.NOT_EXERCISED, exercised=False),
        entry(3, Verdict.MODEL_GAP),
        entry(4, Verdict.FALSE_SUCCESS, exercised=False),
    ]
    assert coverage(cases, 4) == "1 of 4 points"


def test_duty_tells_faults_that_pass_from_those_that_last() -> None:
    cases = [
        entry(0, preset="clean"),
        entry(1),
        entry(2, Verdict.FAILED_CLEAN),
        entry(3, Verdict.FAILED_CLEAN, transient=False),
        entry(4, transient=False),
        entry(5, Verdict.FAILED_MISDIAGNOSED, transient=False),
        entry(6, Verdict.NOT_EXERCISED, exercised=False),
    ]
    assert str(duty(cases)) == "got over 1 of 2 that pass, did right by 2 of 3 that last"
    assert [case.falls_short for case in cases] == [False, False, True, False, False, False, False]


def test_the_page_marks_what_should_have_been_got_over() -> None:
    assert html(card(entry(1, Verdict.FAILED_CLEAN))).count("<small>it should get over this</small>") == 1
    assert "<small>" not in html(card(entry(1, Verdict.FAILED_CLEAN, transient=False)))


def test_a_row_counts_its_verdicts_the_worst_first() -> None:
    (row,) = rows([entry(0), entry(1, Verdict.CRASHED), entry(2), entry(3, Verdict.FALSE_SUCCESS)])
    assert list(row.verdicts.items()) == [(Verdict.FALSE_SUCCESS, 1), (Verdict.CRASHED, 1), (Verdict.RECOVERED, 2)]
    assert row.worst.case == f"{3:016x}"


def test_bad_cases_of_one_kind_are_told_together_the_worst_first() -> None:
    found = bad_kinds([entry(1, Verdict.HUNG), entry(2), entry(3, Verdict.FALSE_SUCCESS), entry(4, Verdict.HUNG)])
    assert [(bad.entry.case, bad.count) for bad in found] == [(f"{3:016x}", 1), (f"{1:016x}", 2)]


def test_what_was_not_exercised_is_told_with_its_reason() -> None:
    found = list(missing(card(entry(1, Verdict.NOT_EXERCISED, reason="did not strike: x"), planned={"flashcore": 5})))
    assert [(item.what, item.why, item.count) for item in found] == [
        ("silent-line", "did not strike: x", 1),
        ("points of the plan", "left out by --limit", 4),
    ]


def test_what_got_worse_comes_before_what_got_better() -> None:
    before = card(entry(1), entry(2, Verdict.HUNG), entry(3))
    after = card(entry(1, Verdict.CRASHED), entry(2), entry(3), entry(4, Verdict.BRICKED))
    found = changes(before, after)
    assert [(change.before.verdict, change.after.verdict, change.is_worse) for change in found] == [
        (Verdict.RECOVERED, Verdict.CRASHED, True),
        (Verdict.HUNG, Verdict.RECOVERED, False),
    ]


def test_every_verdict_has_a_mark_and_no_two_share_a_letter_or_a_symbol() -> None:
    assert set(MARKS) == set(Verdict)
    assert len({mark.letter for mark in MARKS.values()}) == len({mark.symbol for mark in MARKS.values()}) == len(Verdict)


# --- JSON ------------------------------------------------------------------------------------------------------------


def test_a_card_comes_back_from_json_as_it_was() -> None:
    whole = everything()
    assert Card.from_json(whole.to_json(), source="x") == whole


def test_each_case_has_the_agreed_fields() -> None:
    raw = json.loads(card(entry(1)).to_json())
    assert set(raw) == {"meta", "cases"}
    agreed = {"flasher", "version", "suite", "preset", "case", "verdict", "diagnosis", "virtual_s", "clean_virtual_s", "fired"}
    assert agreed | {"repeat"} <= set(raw["cases"][0])
    assert raw["cases"][0]["verdict"] == "RECOVERED"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda raw: raw["cases"][0].update(verdict="FINE"), r"\$\.cases\[0\]\.verdict"),
        (lambda raw: raw["cases"][0].update(virtual_s="long"), r"\$\.cases\[0\]\.virtual_s"),
        (lambda raw: raw["meta"].pop("plan"), "plan"),
    ],
)
def test_a_file_that_is_no_scorecard_is_one_clear_error_that_names_the_place(change: object, says: str) -> None:
    raw = json.loads(card(entry(1)).to_json())
    change(raw)  # type: ignore[operator]
    with pytest.raises(ScenarioError, match=says):
        Card.from_json(json.dumps(raw), source="x.json")
    with pytest.raises(ScenarioError, match=r"x\.json is no scorecard"):
        Card.from_json("no", source="x.json")


def test_what_a_newer_release_writes_besides_is_passed_over() -> None:
    raw = json.loads(card(entry(1)).to_json())
    raw["meta"]["mood"] = raw["cases"][0]["colour"] = "blue"
    assert Card.from_json(json.dumps(raw), source="x") == card(entry(1))


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere() -> None:
    text = html(everything())
    page = Page(text)
    assert page.wrong == []
    assert page.open == []
    assert not {"img", "link", "iframe", "object", "base"} & {tag for tag, _ in page.tags}
    assert all("src" not in attributes for _, attributes in page.tags)
    assert not re.search(r"url\(|@import", text)
    links = [attributes["href"] or "" for attributes in page.all("a")]
    assert {link for link in links if not link.startswith("#")} == {"https://github.com/espressif/esptool/issues/840"}


def test_every_link_within_the_page_leads_somewhere_and_no_id_is_there_twice() -> None:
    page = Page(html(everything()))
    names = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(names) == len(set(names))
    links = [attributes.get("href") or "" for tag in ("a", "use") for attributes in page.all(tag)]
    targets = {link[1:] for link in links if link.startswith("#")}
    assert targets <= set(names)


def test_nothing_that_a_flasher_prints_takes_effect_on_the_page() -> None:
    page = Page(html(everything()))
    assert len(page.all("script")) == 1
    assert not [attributes for _, attributes in page.tags if any(name.startswith("on") for name in attributes)]
    assert "alert(1)" not in "".join(page.texts["script"])
    shown = "".join(page.texts["q"])
    assert visible(HOSTILE) in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_only_the_page_s_own_script_may_run() -> None:
    import base64
    import hashlib

    page = Page(html(everything()))
    (policy,) = [a["content"] or "" for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256("".join(page.texts["script"]).encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_the_page_says_verdicts_in_words_and_lies_first() -> None:
    text = html(everything())
    for verdict in Verdict:
        assert verdict.replace("_", " ") in text
    assert "2 false successes" in text
    assert text.index("2 false successes") < text.index('id="summary"')
    worst = text[text.index('id="worst"') : text.index('id="matrix"')]
    order = [worst.index(name) for name in ("FALSE SUCCESS", "BRICKED", "HUNG", "CRASHED", "FAILED MISDIAGNOSED")]
    assert order == sorted(order)


def test_a_sweep_is_points_and_only_its_bad_cases_are_described() -> None:
    view = View(everything())
    (line,) = [line for line in view.lines() if line.preset == "h2d-drop"]
    cell = line.cells[1]
    assert len(cell.points) == 120
    assert [point.number for point in cell.points if point.target] == [3, 77]
    assert cell.words == "2 HUNG, 118 RECOVERED"
    (group,) = [group for group in view.groups() if group.preset == "h2d-drop"]
    assert len(group.entries) == 2
    assert "Of a sweep only the bad cases are described" in view.left_out


def test_a_page_stays_small_however_many_cases_are_bad_and_says_so() -> None:
    points = [entry(number, Verdict.HUNG, preset="h2d-drop") for number in range(5000)]
    view = View(card(*points))
    assert len(view.described) == DETAILS
    assert f"{5000 - DETAILS} bad cases more" in view.left_out
    assert len(html(card(*points))) < 2_000_000


def test_a_card_without_bad_cases_says_so() -> None:
    text = html(card(entry(1), planned={"flashcore": 1}))
    assert "Nothing is bad" in text
    assert "every fault of the plan struck" in text


def test_the_page_says_what_is_modelled_in_part() -> None:
    text = html(everything())
    assert "at the port only" in text[text.index('id="missing"') :]


def test_an_interrupted_campaign_is_marked_in_every_form() -> None:
    broken_off = card(entry(1), complete=False)
    assert "Interrupted" in html(broken_off)
    assert "Interrupted" in markdown(broken_off)


# --- ladders ---------------------------------------------------------------------------------------------------------


def test_a_ladder_is_well_formed_and_says_in_words_what_its_shapes_say() -> None:
    drawing = Xml.fromstring(ladder_svg(LADDER, "x & y"))
    texts = ["".join(element.itertext()) for element in drawing.iter("text")]
    assert any("SYNC \u00d77" in text for text in texts)
    assert any(text.endswith("\u00b7 lost") for text in texts)
    assert "\u21af d2h:always:drop" in texts
    assert "\u22ee 12 steps: READ_REG \u00d712" in texts
    assert any(text.endswith("s without a sign") for text in texts)
    assert [element.get("href") for element in drawing.iter("use")] == ["#h2d-delivered", "#d2h-lost", "#d2h-delivered"]


def test_a_ladder_keeps_within_its_frame() -> None:
    drawing = Xml.fromstring(ladder_svg(LADDER, "x"))
    height = float((drawing.get("viewBox") or "").split()[3])
    assert all(0 < float(element.get("y", 0)) < height for tag in ("text", "use") for element in drawing.iter(tag))


# --- JUnit -----------------------------------------------------------------------------------------------------------

SCHEMA = {
    "testsuites": ({"name", "tests", "failures", "errors", "time"}, {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped", "time"}, {"properties", "testcase"}),
    "properties": (set(), {"property"}),
    "property": ({"name", "value"}, set()),
    "testcase": ({"name", "classname", "time"}, {"skipped", "failure", "system-out"}),
    "skipped": ({"message"}, set()),
    "failure": ({"message", "type"}, set()),
    "system-out": (set(), set()),
}
"""Elements with their attributes and children, of those that junit-10.xsd allows."""


def test_junit_is_what_the_schema_allows_and_its_figures_add_up() -> None:
    text = junit(everything())
    whole = Xml.fromstring(text)
    for element in whole.iter():
        attributes, children = SCHEMA[element.tag]
        assert set(element.attrib) == attributes, element.tag
        assert {child.tag for child in element} <= children, element.tag
    for suite in whole.iter("testsuite"):
        cases = list(suite.iter("testcase"))
        assert int(suite.attrib["tests"]) == len(cases)
        assert int(suite.attrib["failures"]) == len(list(suite.iter("failure")))
        assert int(suite.attrib["skipped"]) == len(list(suite.iter("skipped")))
        assert len({case.attrib["name"] for case in cases}) == len(cases)
    assert visible(HOSTILE) in [element.attrib["message"].partition(": ")[2] for element in whole.iter("failure")]


def test_junit_fails_what_is_bad_and_skips_what_shows_nothing() -> None:
    for verdict in Verdict:
        (case,) = Xml.fromstring(junit(card(entry(1, verdict)))).iter("testcase")
        tags = {child.tag for child in case}
        assert ("failure" in tags) == verdict.is_bad
        assert ("skipped" in tags) == (verdict in (Verdict.NOT_EXERCISED, Verdict.MODEL_GAP))
        assert case.attrib["time"] == "12.250"


# --- Markdown --------------------------------------------------------------------------------------------------------


def test_markdown_is_short_in_sight_and_keeps_its_tables_in_shape() -> None:
    text = markdown(everything())
    in_sight = re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)
    assert len(in_sight.splitlines()) < 35
    width = 0
    for line in text.splitlines():
        cells = line.count("|") if line.startswith("|") else 0
        assert not (cells and width) or cells == width, line
        width = cells


def test_nothing_that_a_flasher_prints_takes_effect_in_markdown() -> None:
    text = re.sub(r"```sh\n.*?```", "", markdown(everything()), flags=re.DOTALL)
    for harm in ("<script", "<img", "@everyone", "#1 ", "**bold**", "](http", "\x1b", "\u202e", "`code`", "http://"):
        assert harm not in text
    assert escaped("@everyone") == "<code>&#64;everyone</code>"
    assert escaped("the flash is right after 4.5 s") == "the flash is right after 4.5 s"


def test_commands_in_markdown_cannot_end_their_block() -> None:
    text = markdown(card(entry(1, Verdict.HUNG, repeat="espsim score x --fault '```\n<b>'")))
    assert len(re.findall(r"^```", text, re.MULTILINE)) == 2


def test_markdown_tells_what_got_worse() -> None:
    text = markdown(card(entry(1, Verdict.CRASHED), entry(2)), card(entry(1), entry(2, Verdict.HUNG)))
    assert "**1 case worse**, 1 better" in text
    assert "| flashcore | silent-line | RECOVERED | CRASHED |" in text


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_kept_card_becomes_every_other_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "score.json"
    kept.write_text(everything().to_json(), encoding="utf-8")
    paths = {name: tmp_path / f"out.{name}" for name in ("html", "junit", "markdown", "json")}
    words = [word for name, path in paths.items() for word in (f"--{name}", str(path))]
    assert status_of(["report", str(kept), *words, "--baseline", str(kept)]) == 0
    assert paths["html"].read_text(encoding="utf-8") == html(everything())
    assert paths["junit"].read_text(encoding="utf-8") == junit(everything())
    assert paths["json"].read_text(encoding="utf-8") == kept.read_text(encoding="utf-8")
    assert "0 better" in paths["markdown"].read_text(encoding="utf-8")
    shown = capsys.readouterr().out
    assert shown.startswith("2 FALSE SUCCESSES")
    assert "\x1b" not in shown
    assert {path.name for path in tmp_path.iterdir()} == {"score.json", *(path.name for path in paths.values())}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nothing.json"], "cannot read nothing.json: No such file or directory"),
        (["{here}", "--html", "no/such/page.html"], "there is no such folder"),
        (["{here}", "--html", "{folder}"], "is a directory"),
        (["{here}", "--baseline", "nothing.json"], "cannot read nothing.json"),
        (["{bad}"], "is no scorecard"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_clear_error(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, bad = tmp_path / "here.json", tmp_path / "bad.json"
    here.write_text(card(entry(1)).to_json(), encoding="utf-8")
    bad.write_bytes(b"\xff\xfe")
    assert status_of(["report", *(word.format(here=here, bad=bad, folder=tmp_path) for word in words)]) == 2
    error = capsys.readouterr().err
    assert says in error or "it is no text" in error
    assert "Traceback" not in error


def test_the_same_card_makes_the_same_page() -> None:
    assert html(everything()) == html(Card.from_json(everything().to_json(), source="x"))
