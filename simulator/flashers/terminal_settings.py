"""The settings of a ``sim://`` port as `termios` shows them, for clients that go past pyserial.

One setting matters: HUPCL, which lets the driver release DTR and RTS when the port is closed. As on Linux it outlives the
client that cleared it. Everything else is fixed, raw mode with eight bits; what a client writes there is taken and forgotten.
Source: Linux manual, `termios(3)`; docs/sources.md, Reset sequences (hard reset, CP2102C).
"""

from __future__ import annotations

import termios
from collections.abc import Callable
from typing import Any

from simulator.flashers import line_ioctl
from simulator.links.protocol_sim import Serial

_RAW = termios.CREAD | termios.CLOCAL | termios.CS8
_CONTROL_FLAGS = 2
"""Place of the control modes in what `termios.tcgetattr` returns."""


def install() -> Callable[[], None]:
    """Put the answers in front of `termios`; return what takes them away again."""
    replaced: dict[str, Any] = {}

    def answer(name: str, ours: Callable[..., Any]) -> None:
        original = replaced[name] = getattr(termios, name)

        def call(fd: object, *arguments: Any) -> Any:
            port = line_ioctl.port_of(fd)
            return original(fd, *arguments) if port is None else ours(port, *arguments)

        setattr(termios, name, call)

    answer("tcgetattr", _get)
    answer("tcsetattr", _set)
    answer("tcflush", _flush)
    answer("tcdrain", Serial.flush)

    def remove() -> None:
        for name, original in replaced.items():
            setattr(termios, name, original)

    return remove


def _get(port: Serial) -> list[Any]:
    speed = getattr(termios, f"B{port.baudrate}", termios.B38400)
    flags = _RAW | (termios.HUPCL if port.hang_up else 0)
    return [0, 0, flags, 0, speed, speed, [b"\0"] * 32]


def _set(port: Serial, when: int, attributes: list[Any]) -> None:
    if when in (termios.TCSADRAIN, termios.TCSAFLUSH):
        port.flush()
    if when == termios.TCSAFLUSH:
        port.reset_input_buffer()
    port.hang_up = bool(attributes[_CONTROL_FLAGS] & termios.HUPCL)


def _flush(port: Serial, queue: int) -> None:
    if queue in (termios.TCIFLUSH, termios.TCIOFLUSH):
        port.reset_input_buffer()
    if queue in (termios.TCOFLUSH, termios.TCIOFLUSH):
        port.reset_output_buffer()
