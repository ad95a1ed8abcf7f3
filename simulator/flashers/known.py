"""The flashers that can be named on a command line."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from flashcore.errors import ScenarioError
from simulator.flashers.adapter import Adapter

NAMES = ("flashcore", "esptool", "esptool@RELEASE", "esptool-js", "esptool-js@RELEASE")
"""What there is; a release of esptool or esptool-js gets an environment of its own, made on first use. A flasher may also be a
command line with marks, as in `simulator.flashers.template`, behind the name of a link and a colon if it wants another than a
pty."""

_RELEASE = re.compile(r"(esptool|esptool-js)(?:@(\d+(?:\.\d+)*\w*))?")
_LINKED = re.compile(r"(virtual|pty|rfc2217|tcp|websocket):(?!//)(.*)", re.DOTALL)


def adapter(name: str, *, cache: Path | None = None, progress: Callable[[str], None] | None = None) -> Adapter:
    """Return the adapter for the flasher called `name`.

    Args:
        name: One of `NAMES`, or a command line with marks.
        cache: Folder for environments; by default the user's cache folder.
        progress: Takes a few words about each step while an environment is made.

    Raises:
        ScenarioError: There is no such flasher, or the command line makes no sense.
        FlasherEnvironmentError: An environment for it cannot be made.
    """
    from simulator.flashers.esptool import EsptoolAdapter
    from simulator.flashers.flashcore import FlashcoreAdapter

    if name == "flashcore":
        return FlashcoreAdapter()
    if "{" in name:
        return _command(name)
    found = _RELEASE.fullmatch(name)
    if found is None:
        raise ScenarioError(f"unknown flasher {name!r}", hint="there are " + ", ".join(NAMES) + ", and commands with marks")
    from simulator.preload.build import cache_folder

    folder = cache or cache_folder() / "envs"
    program, release = found.groups()
    if program == "esptool-js":
        from simulator.flashers.node import RELEASE, esptool_js

        return esptool_js(name, release or RELEASE, folder, progress)
    if release is None:
        try:
            return EsptoolAdapter(name=name, version=metadata.version("esptool"), python=sys.executable)
        except metadata.PackageNotFoundError:
            raise ScenarioError(
                "no esptool is installed beside espsim", hint="install it, or name a release: esptool@5.1.0"
            ) from None
    from simulator.flashers.environments import environment

    python = environment(release, folder, progress=progress)
    return EsptoolAdapter(name=name, version=release, python=str(python))


def _command(name: str) -> Adapter:
    from simulator.flashers.abilities import Link
    from simulator.flashers.command import CommandAdapter
    from simulator.flashers.template import Template

    linked = _LINKED.fullmatch(name)
    link, text = (Link(linked[1]), linked[2]) if linked else (Link.PTY, name)
    return CommandAdapter(name=name, template=Template.parse(text), link=link)
