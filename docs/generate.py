"""Make the documents that are made from the code: at present ``faults.md``, from the fault presets.

``python docs/generate.py`` writes them; with ``--check`` it writes nothing and fails if one is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from simulator.faults import presets
from simulator.faults.presets import FaultPreset, words

HERE = Path(__file__).resolve().parent

INTRODUCTION = """\
# Faults that have a name

<!-- Made by docs/generate.py from simulator/faults/presets/*.toml: change those, then run it. -->

Each is a row of the [fault catalogue](sources.md#fault-catalogue), as something to run: `espsim run --fault NAME -- CMD`. A
transient fault must be survived; from a permanent one a flasher must stop within a bounded time, with the right diagnosis.
A run whose fault never struck proves nothing, and `espsim` says so. Your own faults have a [text form](cli.md#faults-as-text).

One preset of each row belongs to the suite `catalogue` of `espsim score`; the others are variants, shown in italics. A preset
may change the board, what lies on it, the computer and the job; what it does not name is as usual.
"""


def faults() -> str:
    """Return the content of ``faults.md``."""
    rows = [presets.preset(name) for name in presets.names()]
    table = [
        "| row | name | what goes wrong | |",
        "|---|---|---|---|",
        *(f"| {row.rank} | {_link(row)} | {row.title} | {_lasting(row)} |" for row in rows),
    ]
    return "\n".join([INTRODUCTION, *table, *(line for row in rows for line in _section(row))]) + "\n"


def _link(row: FaultPreset) -> str:
    link = f"[`{row.id}`](#{row.id})"
    return f"*{link}*" if row.variant else link


def _lasting(row: FaultPreset) -> str:
    return "transient" if row.transient else "permanent"


def _section(row: FaultPreset) -> list[str]:
    kind = f"{_lasting(row)}, a variant" if row.variant else _lasting(row)
    lines = ["", f"## {row.id}", "", f"{row.title}. Row {row.rank}, {row.class_}; {kind}.", ""]
    if row.device:
        lines += [f"In place of the board the port leads to: `{row.device}`.", ""]
    if row.faults:
        lines += ["```", *row.faults, "```", ""]
    if row.any and len(row.faults) > 1:
        lines += ["It counts as exercised if any one of these struck.", ""]
    if row.state:
        lines += ["It is a state of things: it counts as exercised once a flasher has met with it.", ""]
    lines += [f"{name.capitalize()}: {text}.\n" for name, text in words.desk(row).items()]
    if row.modelled:
        lines += [f"In the model: {row.modelled}", ""]
    lines.append(f"A flasher's duty: {row.duty}")
    if row.evidence:
        lines += ["", "Seen in: " + ", ".join(_thread(text) for text in row.evidence) + "."]
    return lines


def _thread(text: str) -> str:
    repository, _, number = text.partition("#")
    return f"[{text}](https://github.com/{repository}/issues/{number})"


DOCUMENTS = {"faults.md": faults}
"""Each generated document with the function that makes it."""


def main(arguments: list[str]) -> int:
    """Write the documents, or with ``--check`` name those that are out of date; return the exit code."""
    stale = 0
    for name, make in DOCUMENTS.items():
        path, text = HERE / name, make()
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            sys.stderr.write(f"docs/{name} is out of date: run python docs/generate.py\n")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
