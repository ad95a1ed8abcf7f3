"""What ``espsim --help`` shows, as data, so that it appears before anything else is loaded."""

from __future__ import annotations

SUMMARY = "A virtual ESP32 on a virtual board behind a virtual serial port, for testing whatever flashes it."

COMMANDS = {
    "run": ("simulator.cli.run", "Run a flasher against a virtual board."),
    "serve": ("simulator.cli.serve", "Offer virtual boards on serial ports until interrupted."),
    "score": ("simulator.cli.score", "Run flashers against faults and give verdicts."),
    "report": ("simulator.cli.report", "Show a kept scorecard, and write it in other forms."),
    "boards": ("simulator.cli.boards", "List the boards, or show one."),
    "faults": ("simulator.cli.faults", "List the faults, or show one."),
}
"""Each command with the module that holds it, under the name ``command``, and its line in the overview."""

OPTIONS = {
    "--version": "Show the version and exit.",
    "-h, --help": "Show this, or with a command its own help.",
}

_WIDTH = 14


def render() -> str:
    """Return the overview as text."""
    lines = ["Usage: espsim [OPTIONS] COMMAND ...", "", SUMMARY, "", "Commands:"]
    lines += [f"  {name:<{_WIDTH}}{line}" for name, (_, line) in COMMANDS.items()]
    lines += ["", "Options:"]
    lines += [f"  {name:<{_WIDTH}}{line}" for name, line in OPTIONS.items()]
    return "\n".join([*lines, ""])
