"""Files that appear whole or not at all, whatever is in their place."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from flashcore.cli.app import run
from flashcore.image import load_regions
from flashcore.whole_file import WholeFile, write_whole


def test_a_file_takes_its_name_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    with WholeFile(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
        file.keep()
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_not_kept_leaves_nothing(tmp_path: Path) -> None:
    with WholeFile(tmp_path / "out.bin") as file:
        file.write(b"half")
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_has_the_rights_of_any_new_file_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    plain, new, old = (tmp_path / name for name in ("plain", "new", "old"))
    plain.touch()
    old.touch()
    old.chmod(0o640)
    for path in (new, old):
        write_whole(path, b"x")
    assert new.stat().st_mode == plain.stat().st_mode
    assert stat.S_IMODE(old.stat().st_mode) == 0o640


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_whole(path, b"content")
        assert os.read(reader, 100) == b"content"
    finally:
        os.close(reader)
    assert path.is_fifo()
    assert list(tmp_path.iterdir()) == [path]


def test_a_symbolic_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    write_whole(link, b"first")
    write_whole(link, b"second")
    assert link.is_symlink()
    assert target.read_bytes() == b"second"


@pytest.mark.parametrize("place", [".", "nowhere/out.bin"])
def test_a_place_that_cannot_be_written_is_an_error_at_once(tmp_path: Path, place: str) -> None:
    with pytest.raises(OSError, match="directory"):
        WholeFile(tmp_path / place)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/zero").is_char_device(), reason="has no device that never ends")
def test_a_file_that_never_ends_is_no_image(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flashcore.image.region.MAX_FILE", 1 << 20)
    assert run(["image", "/dev/zero"]) == 7
    assert "longer than 1 MB" in capsys.readouterr().err


def test_the_longest_file_is_still_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flashcore.image.region.MAX_FILE", 4)
    path = tmp_path / "x"
    path.write_bytes(b"four")
    assert load_regions([(0, path)])[0].data == b"four"
