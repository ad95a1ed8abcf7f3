"""Which releases of real flashers the tests run, and how: each in an environment of its own, made on first use.

The gate runs the installed esptool and a few releases that install quickly. ``ESPSIM_PEER_RELEASES`` changes that: ``all``,
or releases separated by commas. Environments are kept under ``.cache/envs``, those of each Python version apart, so that
test runs under several of them do not make each other's anew.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest

from simulator.flashers.environments import FlasherEnvironmentError, environment

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "envs" / f"python{sys.version_info.major}.{sys.version_info.minor}"
VARIABLE = "ESPSIM_PEER_RELEASES"

INSTALLED = metadata.version("esptool")
"""The esptool beside the tests; it needs no environment."""
QUICK = ("3.3", "4.12.0")
"""Releases that install within seconds: the oldest that matters, and the last before the command line changed."""
ALL = ("3.3", "3.3.3", "4.2.1", "4.8.1", "4.12.0", "5.6.0")
"""The thread's release, its successor, what meshtastic-flasher pins, the first to cope with a pty, and the last two lines."""

MINIESPTOOL = "adafruit-circuitpython-miniesptool"
MINIESPTOOL_RELEASE = "0.2.28"
_PYSERIAL = "pyserial==3.5"
"""Stands in for all that miniesptool requires, which is drivers for boards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Esptool:
    """One release of esptool.

    Args:
        release: Its version.
    """

    release: str

    @property
    def words(self) -> tuple[str, ...]:
        """What a command line starts with.

        Raises:
            FlasherEnvironmentError: There is no environment, and none can be made.
        """
        python = sys.executable if self.release == INSTALLED else str(_environment(self.release))
        return (python, "-m", "esptool")

    @property
    def version(self) -> tuple[int, ...]:
        """The release's numbers, to compare with."""
        return tuple(int(number) for number in re.findall(r"\d+", self.release)[:3])

    def spelled(self, *words: str) -> tuple[str, ...]:
        """Return command and option words, given as esptool 5 has them, as this release has them."""
        if self.version >= (5,):
            return words
        return tuple(word if word.startswith("-") else word.replace("-", "_") for word in words)


@functools.cache
def _environment(release: str, package: str = "esptool", instead: tuple[str, ...] = ()) -> Path:
    return environment(release, CACHE, package=package, instead=instead)


def miniesptool() -> str:
    """Return the interpreter of an environment with Adafruit's miniesptool and pyserial.

    Raises:
        FlasherEnvironmentError: There is none, and none can be made.
    """
    return str(_environment(MINIESPTOOL_RELEASE, MINIESPTOOL, (_PYSERIAL,)))


def whole() -> bool:
    """Tell whether every release is asked for."""
    return os.environ.get(VARIABLE) == "all"


def releases() -> tuple[str, ...]:
    """Return the releases of esptool to run, the oldest first."""
    asked = os.environ.get(VARIABLE, "")
    chosen = {*ALL, INSTALLED} if whole() else set(filter(None, asked.split(","))) or {*QUICK, INSTALLED}
    return tuple(sorted(chosen, key=lambda release: Esptool(release=release).version))


def others() -> tuple[str, ...]:
    """Return the releases to run apart from the installed one."""
    return tuple(release for release in releases() if release != INSTALLED)


def or_skip(error: FlasherEnvironmentError) -> None:
    """Skip a test that needs an environment which can't be made for want of a network.

    Raises:
        FlasherEnvironmentError: It fails for another reason, or the flashers were asked for by name, or this is CI.
    """
    if error.code.endswith(".offline") and VARIABLE not in os.environ and not os.environ.get("CI"):
        pytest.skip(error.message)
    raise error


def esptool(release: str) -> Esptool:
    """Return `release`, its environment made; skip the test if that needs a network and there is none."""
    peer = Esptool(release=release)
    try:
        _ = peer.words
    except FlasherEnvironmentError as error:
        or_skip(error)
    return peer
