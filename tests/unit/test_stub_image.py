"""Where the stub's code comes from."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from flashcore.loader import stub_image


def test_a_script_named_esptool_py_does_not_hide_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Behind a console script its own folder is first on the path, and esptool puts a script of that name there.
    (tmp_path / "esptool.py").write_text("raise SystemExit\n")
    expected = stub_image.folder()
    assert expected is not None
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "esptool", raising=False)
    assert stub_image.folder() == expected
