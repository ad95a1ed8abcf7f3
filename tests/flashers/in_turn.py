"""Runs several programs one after the other against one board: ``in_turn.py PROGRAM ARGS... -- PROGRAM ARGS... -- ...``.

A real bench does not start over between two commands, but a virtual board lives as long as the process that uses it. So the
programs run in one process, each as its own ``__main__``. Besides programs there are three words: ``wait S`` lets S seconds
pass, ``hear S PORT`` prints what arrives within S seconds, ``expect N`` ends everything unless the program before it ended with
exit status N (without it: 0).
"""

from __future__ import annotations

import runpy
import sys
import time


def run(words: list[str]) -> int:
    """Run one program; return its exit status."""
    sys.argv = words
    try:
        runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        code = end.code
        if code is None:
            return 0
        if isinstance(code, int):
            return code
        print(code)
        return 1
    return 0


def hear(seconds: float, name: str) -> None:
    """Print what a port says, leaving its lines as they were left."""
    import serial

    port = serial.serial_for_url(name, baudrate=115200, timeout=0.1, do_not_open=True)
    port.dtr = port.rts = False
    port.open()
    heard = b""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        heard += port.read(4096)
    port.close()
    print("heard:", heard.decode("latin-1"))


def main(arguments: list[str]) -> int:
    """Run everything; return 0 if each program ended as expected."""
    commands: list[list[str]] = [[]]
    for word in arguments:
        if word == "--":
            commands.append([])
        else:
            commands[-1].append(word)
    status = 0
    for number, words in enumerate(commands):
        match words:
            case ["wait", seconds]:
                time.sleep(float(seconds))
            case ["hear", seconds, name]:
                hear(float(seconds), name)
            case ["expect", wanted]:
                status = 0 if status == int(wanted) else 99
            case _:
                if status:
                    break
                print(f"--- {' '.join(words[1:])}", flush=True)
                status = run(words)
                print(f"--- status {status}", flush=True)
        if status == 99 or (status and commands[number + 1 : number + 2] and commands[number + 1][0] != "expect"):
            break
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
