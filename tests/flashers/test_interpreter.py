"""Command lines lead to the interpreter that would run them, or to one clear error."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from simulator.flashers.interpreter import CommandError, PythonCommand, locate, require_version, resolve

PYTHON = sys.executable


def script(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def fake_python(folder: Path, answer: str = "3 12") -> str:
    return script(folder / "python3.12", f"#!/bin/sh\necho {answer}\n")


def test_a_console_script_leads_to_the_interpreter_of_its_first_line(tmp_path: Path) -> None:
    tool = script(tmp_path / "tool", f"#!{PYTHON}\n")
    assert resolve([tool, "--port", "x"]) == PythonCommand(
        interpreter=(PYTHON,), kind="script", target=tool, argv=("--port", "x")
    )


def test_a_console_script_is_found_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = script(tmp_path / "bin" / "tool", f"#!{PYTHON}\n")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert resolve(["tool"]).target == tool


def test_options_in_the_first_line_stay(tmp_path: Path) -> None:
    tool = script(tmp_path / "tool", f"#!{PYTHON} -E\n")
    assert resolve([tool]).interpreter == (PYTHON, "-E")


@pytest.mark.parametrize(
    "line", ["#!/usr/bin/env python3.12", "#!/usr/bin/env -S python3.12 -u", "#!/usr/bin/env A=1 python3.12"]
)
def test_env_in_the_first_line_is_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    python = fake_python(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert resolve([script(tmp_path / "tool", line + "\n")]).interpreter[0] == python


@pytest.mark.parametrize(
    "line",
    [
        "'''exec' {python} \"$0\" \"$@\"",
        '\'\'\'exec\' "{python}" "$0" "$@"',
        "'''exec' '{python}' \"$0\" \"$@\"",
        '\'\'\'exec\' "$(dirname -- "$(realpath -- "$0")")"/\'python3.12\' "$0" "$@"',
    ],
    ids=["bare", "double-quoted", "single-quoted", "relocatable"],
)
def test_the_shell_trampoline_of_installers_is_looked_through(tmp_path: Path, line: str) -> None:
    python = fake_python(tmp_path / "bin")
    tool = script(tmp_path / "bin" / "tool", "#!/bin/sh\n" + line.format(python=python) + "\n' '''\nimport sys\n")
    assert resolve([tool]).interpreter == (python,)


def test_the_trampoline_beside_a_linked_script_is_found(tmp_path: Path) -> None:
    python = fake_python(tmp_path / "tool-env")
    line = '\'\'\'exec\' "$(dirname -- "$(realpath -- "$0")")"/\'python3.12\' "$0" "$@"'
    tool = script(tmp_path / "tool-env" / "tool", "#!/bin/sh\n" + line + "\n' '''\n")
    link = tmp_path / "bin" / "tool"
    link.parent.mkdir()
    link.symlink_to(tool)
    assert resolve([str(link)]).interpreter == (python,)


@pytest.mark.parametrize(
    ("words", "options", "kind", "target", "argv"),
    [
        (["-m", "esptool", "--port", "x"], (), "module", "esptool", ("--port", "x")),
        (["-mesptool", "-m"], (), "module", "esptool", ("-m",)),
        (["-u", "-X", "dev", "-m", "esptool"], ("-u", "-X", "dev"), "module", "esptool", ()),
        (["-Wignore", "-um", "esptool"], ("-Wignore", "-u"), "module", "esptool", ()),
        (["-c", "print(1)", "a"], (), "code", "print(1)", ("a",)),
        (["-O", __file__, "-c", "x"], ("-O",), "script", __file__, ("-c", "x")),
    ],
)
def test_an_interpreter_with_arguments_is_taken_apart(
    words: list[str], options: tuple[str, ...], kind: str, target: str, argv: tuple[str, ...]
) -> None:
    command = resolve([PYTHON, *words])
    assert command.interpreter == (PYTHON, *options)
    assert (command.kind, command.target, command.argv) == (kind, target, argv)


@pytest.mark.parametrize("words", [[], ["-"], ["-V"], ["-m"], ["-u"]])
def test_an_interpreter_with_nothing_to_run_is_refused(words: list[str]) -> None:
    with pytest.raises(CommandError, match=r"nothing to run|needs an argument"):
        resolve([PYTHON, *words])


def test_a_missing_script_is_named() -> None:
    with pytest.raises(CommandError, match=r"there is no script nowhere\.py"):
        resolve([PYTHON, "nowhere.py"])


def test_a_program_that_is_no_python_is_refused_with_the_way_out(tmp_path: Path) -> None:
    tool = script(tmp_path / "tool", "#!/bin/sh\nexit 0\n")
    with pytest.raises(CommandError, match="no Python program") as caught:
        resolve([tool])
    assert "--link pty" in caught.value.hint


def test_a_binary_is_refused() -> None:
    with pytest.raises(CommandError, match="no Python program"):
        resolve([str(Path(locate("sh")).resolve())])


def test_a_script_whose_interpreter_is_gone_says_so(tmp_path: Path) -> None:
    tool = script(tmp_path / "tool", f"#!{tmp_path}/gone/bin/python3\n")
    with pytest.raises(CommandError, match=r"its interpreter .*gone/bin/python3 does not exist"):
        resolve([tool])


def test_a_shim_that_chooses_later_is_refused_with_the_way_out(tmp_path: Path) -> None:
    tool = script(tmp_path / "tool", '#!/usr/bin/env bash\nset -e\nexec "/opt/pyenv" exec "$program" "$@"\n')
    with pytest.raises(CommandError, match="pyenv shim") as caught:
        resolve([tool])
    assert "pyenv which tool" in caught.value.hint


def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot start no-such-tool: it is not on PATH"):
        resolve(["no-such-tool"])
    with pytest.raises(CommandError, match="there is no such file"):
        resolve([str(tmp_path / "tool")])


def test_a_file_that_must_not_be_executed_says_so(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text(f"#!{PYTHON}\n")
    with pytest.raises(CommandError, match="not executable"):
        resolve([str(tmp_path / "tool")])


def test_an_old_interpreter_is_refused_with_its_version(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"is Python 3\.8; virtual time needs 3\.11 or newer") as caught:
        require_version([fake_python(tmp_path, "3 8")])
    assert "--link pty" in caught.value.hint


def test_a_newer_interpreter_is_accepted(tmp_path: Path) -> None:
    require_version([fake_python(tmp_path, "3 14")])


def test_an_interpreter_that_answers_nonsense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="does not run as a Python interpreter: hello"):
        require_version([fake_python(tmp_path, "hello")])
