"""The flashers that can be named on a command line."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from flashcore.errors import ScenarioError
from simulator.flashers.adapter import Adapter

NAMES = ("flashcore", "esptool", "esptool@RELEASE")
"""What there is; a release of esptool gets an environment of its own, made on first use."""

_RELEASE = re.compile(r"esptool@(\d+(?:\.\d+)*\w*)")


def adapter(name: str, *, cache: Path | None = None, progress: Callable[[str], None] | None = None) -> Adapter:
    """Return the adapter for the flasher called `name`.

    Args:
        name: One of `NAMES`.
        cache: Folder for environments; by default the user's cache folder.
        progress: Takes a few words about each step while an environment is made.

    Raises:
        ScenarioError: There is no such flasher.
        FlasherEnvironmentError: An environment for it cannot be made.
    """
    from simulator.flashers.esptool import EsptoolAdapter
    from simulator.flashers.flashcore import FlashcoreAdapter

    if name == "flashcore":
        return FlashcoreAdapter()
    if name == "esptool":
        try:
            return EsptoolAdapter(name=name, version=metadata.version("esptool"), python=sys.executable)
        except metadata.PackageNotFoundError:
            raise ScenarioError(
                "no esptool is installed beside espsim", hint="install it, or name a release: esptool@5.1.0"
            ) from None
    found = _RELEASE.fullmatch(name)
    if found is None:
        raise ScenarioError(f"unknown flasher {name!r}", hint="there are " + ", ".join(NAMES))
    from simulator.flashers.environments import environment
    from simulator.preload.build import cache_folder

    python = environment(found[1], cache or cache_folder() / "envs", progress=progress)
    return EsptoolAdapter(name=name, version=found[1], python=str(python))
