"""The command line of a flasher that nobody has heard of: what its marks say about it, and what they are filled with."""

from __future__ import annotations

from pathlib import Path

import pytest

from flashcore.errors import ScenarioError
from simulator.flashers.abilities import Abilities, Link
from simulator.flashers.images import Image
from simulator.flashers.known import adapter
from simulator.flashers.task import Job, Task
from simulator.flashers.template import Template
from simulator.scenario import Scenario

TWO = (Image(offset=0x1000, size=4096), Image(offset=0x10000, size=8192, seed=1))


@pytest.mark.parametrize(
    ("text", "action", "finds_port", "takes_baud", "several"),
    [
        ("mytool --port {port} write {address} {image}", "write", False, False, True),
        ("mytool write {address}:{image} -b {baud}", "write", True, True, True),
        ("mytool -p {port} write --at {address} --file {image}", "write", False, False, False),
        ("mytool -p {port} read {address} {size} {out}", "read", False, False, True),
        ("mytool -p {port} erase {address} {size}", "erase", False, False, True),
    ],
)
def test_what_it_can_be_asked_for_follows_from_its_marks(
    text: str, action: str, finds_port: bool, takes_baud: bool, several: bool
) -> None:
    template = Template.parse(text)
    assert (template.action, template.finds_port) == (action, finds_port)
    assert (template.takes_baud, template.several_images) == (takes_baud, several)


def test_marks_are_filled_and_words_stay_words(tmp_path: Path) -> None:
    template = Template.parse("mytool --port {port} 'a b' {address} {image} --baud={baud} '$HOME'")
    commands, files = template.fill(Job(images=TWO, baud=460800), "/dev/x y", tmp_path)
    assert files == []
    (words,) = commands
    assert words[:4] == ["mytool", "--port", "/dev/x y", "a b"]
    assert (words[4], words[6], words[8:]) == ("0x1000", "0x10000", ["--baud=460800", "$HOME"])
    assert [Path(words[number]).read_bytes() for number in (5, 7)] == [image.data() for image in TWO]


def test_what_cannot_be_repeated_is_started_once_per_place(tmp_path: Path) -> None:
    commands, files = Template.parse("mytool read {address} {size} {out}").fill(Job(images=TWO, action="read"), "p", tmp_path)
    assert commands == [["mytool", "read", "0x1000", "0x1000", files[0]], ["mytool", "read", "0x10000", "0x2000", files[1]]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mytool {port} {adress} {image}", "unknown mark {adress}"),
        ("mytool {port} {image}", "has no {address}"),
        ("mytool '{port} {address}", "cannot split the command"),
    ],
)
def test_a_command_that_makes_no_sense_is_one_clear_error(text: str, says: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        adapter(text)
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("name", "link"),
    [
        ("mytool {port} {address} {image}", Link.PTY),
        ("virtual:mytool {port} {address} {image}", Link.VIRTUAL),
        ("rfc2217:mytool {port} {address} {image}", Link.RFC2217),
        ("rfc2217://{port} {address} {image}", Link.PTY),
    ],
)
def test_the_link_stands_in_front_of_a_command(name: str, link: Link) -> None:
    found = adapter(name)
    assert (found.name, found.abilities.link) == (name, link)


ABLE = Abilities(link=Link.PTY)


@pytest.mark.parametrize(
    ("abilities", "job", "faults", "says"),
    [
        (ABLE, Job.of_size(1), (), ""),
        (Abilities(link=Link.PTY, actions=("write",)), Job(images=TWO, action="read"), (), "how to ask it to read"),
        (Abilities(link=Link.PTY, finds_port=False), Job(images=TWO, port="auto"), (), "look for its port"),
        (Abilities(link=Link.PTY, several_images=False), Job(images=TWO), (), "one image at a time"),
        (Abilities(link=Link.PTY, takes_baud=False), Job(images=TWO, baud=921600), (), "baud rate"),
        (Abilities(link=Link.PTY, erases_all=False), Job(action="erase", whole=True), (), "the whole flash"),
        (Abilities(link=Link.PTY, erases_part=False), Job(action="erase", images=TWO), (), "a part of the flash"),
        (ABLE, Job.of_size(1), ("port:always:busy",), "cannot be refused"),
        (Abilities(link=Link.VIRTUAL), Job.of_size(1), ("port:always:busy",), ""),
    ],
)
def test_what_a_flasher_cannot_be_asked_for_has_a_reason(
    abilities: Abilities, job: Job, faults: tuple[str, ...], says: str
) -> None:
    reason = abilities.lacks(Task(scenario=Scenario(faults=faults), job=job))
    assert says in reason
    assert bool(reason) is bool(says)
