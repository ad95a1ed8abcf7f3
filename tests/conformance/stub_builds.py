"""The recorded stubs' code, from releases of esptool that can be installed: nothing of it is kept here.

Several releases ship the same bytes; one that the tests install anyway is taken before the one that was recorded.
"""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

from flashcore.loader import stub_image
from flashcore.loader.stub_image import StubImage
from tests import peers

RELEASES = {
    "stub_e3": ("3.3.3", "3.3", "4.2.1"),
    "stub_e4_1": ("4.8.1",),
    "stub_e5_1": ("5.6.0", "4.12.0"),
    "stub_e5_2": ("5.6.0",),
}
"""Releases with the stub of each vector file, the recorded one first. Source: `simulator.chip.stub.catalogue`."""

GENERATION = {"stub_e3": 1, "stub_e4_1": 1, "stub_e5_1": 1, "stub_e5_2": 2}
"""Which of a release's stubs it is."""

_PLACE = "import esptool, os; print(os.path.dirname(esptool.__file__))"
_EMBEDDED = (
    "import base64, esptool, json; code = esptool.ESP32ROM.STUB_CODE;"
    "print(json.dumps({k: v if isinstance(v, int) else base64.b64encode(v).decode() for k, v in code.items()}))"
)
"""Up to 3.3.3 esptool is one module with the stubs in it."""


@functools.cache
def image(file: str) -> StubImage:
    """Return the stub that `file` was recorded from.

    Raises:
        pytest.skip.Exception: No release that ships it can be installed for want of a network.
    """
    releases = RELEASES[file]
    release = next((name for name in releases if name in peers.releases()), releases[0])
    python = peers.esptool(release).words[0]
    if release.startswith("3."):
        return stub_image.parse(_run(python, _EMBEDDED), generation=1, source=f"esptool {release}")
    stubs = Path(_run(python, _PLACE)) / "targets" / "stub_flasher"
    found = stub_image.find(generation=GENERATION[file], stubs=stubs)
    assert found is not None, f"esptool {release} ships no such stub"
    return found


def _run(python: str, code: str) -> str:
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout.strip()
