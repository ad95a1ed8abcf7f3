"""Which releases of flashers the tests run, and what happens where one cannot be had."""

from __future__ import annotations

import pytest

from simulator.flashers.environments import FlasherEnvironmentError
from tests import peers

OFFLINE = FlasherEnvironmentError("esptool 3.3 is needed", code="simulator.environment.offline")
BROKEN = FlasherEnvironmentError("pip could not install esptool 3.3")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv(peers.VARIABLE, raising=False)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(peers, "INSTALLED", "5.10.0")
    return monkeypatch


@pytest.mark.parametrize(
    ("value", "releases"),
    [
        (None, ("3.3", "4.12.0", "5.10.0")),
        ("", ("3.3", "4.12.0", "5.10.0")),
        ("4.8.1,4.12.0,3.3.3", ("3.3.3", "4.8.1", "4.12.0")),
        ("all", (*peers.ALL, "5.10.0")),
    ],
)
def test_releases_are_those_asked_for_in_their_order(
    environment: pytest.MonkeyPatch, value: str | None, releases: tuple[str, ...]
) -> None:
    if value is not None:
        environment.setenv(peers.VARIABLE, value)
    assert peers.releases() == releases
    assert peers.others() == tuple(release for release in releases if release != "5.10.0")
    assert peers.whole() is (value == "all")


def test_words_are_spelled_as_the_release_has_them() -> None:
    words = ("--before", "no-reset", "--no-stub", "write-flash")
    assert peers.Esptool(release="5.0").spelled(*words) == words
    assert peers.Esptool(release="4.12.0").spelled(*words) == ("--before", "no_reset", "--no-stub", "write_flash")


def test_without_a_network_a_release_of_the_gate_is_skipped(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(pytest.skip.Exception, match=r"esptool 3\.3 is needed"):
        peers.or_skip(OFFLINE)


@pytest.mark.parametrize("variable", ["CI", peers.VARIABLE])
def test_a_release_that_was_asked_for_is_not_skipped(environment: pytest.MonkeyPatch, variable: str) -> None:
    environment.setenv(variable, "all")
    with pytest.raises(FlasherEnvironmentError):
        peers.or_skip(OFFLINE)


def test_an_environment_that_breaks_is_not_skipped(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(FlasherEnvironmentError):
        peers.or_skip(BROKEN)
