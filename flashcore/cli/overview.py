"""What ``flashcore --help`` shows, as data, so that it appears before anything else is loaded."""

from __future__ import annotations

SUMMARY = "Flash Espressif chips over a serial port, and say what is wrong when that fails."

COMMANDS = {
    "info": "Show the chip, its revision and features, MAC address, crystal and flash.",
    "write": "Write files to flash and verify them: ADDR FILE [ADDR FILE ...].",
    "read": "Read flash to a file: ADDR SIZE FILE.",
    "erase": "Erase the whole flash, or SIZE bytes at ADDR.",
    "verify": "Compare flash with files: ADDR FILE [ADDR FILE ...].",
    "image": "Describe a firmware image or partition table.",
    "ports": "List serial ports and what is behind them.",
}
"""Each command with its line."""

OPTIONS = {
    "-p, --port PORT": "Serial port, pyserial URL, or 'auto' (the only likely one; default).",
    "--wait-port SEC": "How long to wait for a board where none is there (default 15 s).",
    "-b, --baud RATE": "Baud rate for the work after connecting (default 115200).",
    "--chip NAME": "Refuse every other chip.",
    "--before HOW": "default-reset, manual, no-reset, or a sequence such as D0|R1|W0.1|D1|R0|W0.05|D0.",
    "--after HOW": "hard-reset (default) or no-reset.",
    "--no-stub": "Work with the chip's ROM loader alone.",
    "--no-boot-check": "Do not listen to what the chip says after the final restart.",
    "--json": "One JSON object per line and event; the last is a result or an error.",
    "--trace FILE": "Write all bytes on the line, with times, to FILE.",
    "--version": "Show the version.",
    "-h, --help": "Show this, or with a command its own help.",
}
"""Options that every command which talks to a chip takes, before or after its name."""

EXIT_CODES = "0 ok, 1 unexpected, 2 usage, 3 port, 4 connect, 5 transfer, 6 verify, 7 image, 8 device refuses, 130 cancelled"

_WIDTH = 18


def render() -> str:
    """Return the overview as text."""
    lines = ["Usage: flashcore [OPTIONS] COMMAND ...", "", SUMMARY, "", "Commands:"]
    lines += [f"  {name:<{_WIDTH}}{line}" for name, line in COMMANDS.items()]
    lines += ["", "Options, before or after the command:"]
    lines += [f"  {name:<{_WIDTH}}{line}" for name, line in OPTIONS.items()]
    lines += ["", f"Exit codes: {EXIT_CODES}.", "Help on a command: flashcore COMMAND --help", ""]
    return "\n".join(lines)
