"""Modem lines by ``ioctl`` for ports that have none: what `fcntl.ioctl` answers for the descriptors of ``sim://`` ports.

Flashers that change DTR and RTS in one step go past pyserial and call ``ioctl(port.fileno(), TIOCMSET, ...)``. On the private
descriptor of a virtual port that call is answered here; every other call goes to the system.
Source: docs/sources.md, Modem lines; Linux manual, `tty_ioctl(2)`, `ioctl_tty(2)`.
"""

from __future__ import annotations

import array
import fcntl
import struct
import termios
from collections.abc import Callable
from typing import cast

from simulator.links.protocol_sim import ENDPOINTS, Serial

_WORD = struct.Struct("I")
_LINES = (termios.TIOCMGET, termios.TIOCMSET, termios.TIOCMBIS, termios.TIOCMBIC)
_WAITING = getattr(termios, "FIONREAD", termios.TIOCINQ)
_NOTHING_TO_DO = (termios.TIOCEXCL, termios.TIOCNXCL)


def install() -> Callable[[], None]:
    """Put the answers in front of `fcntl.ioctl`; return what takes them away again."""
    original = fcntl.ioctl

    def ioctl(
        fd: object, request: int, arg: int | bytes | bytearray | array.array[int] = 0, mutate_flag: bool = True, /
    ) -> int | bytes:
        port = port_of(fd)
        request &= 0xFFFFFFFF
        if port is None or request not in (*_LINES, _WAITING, *_NOTHING_TO_DO):
            return original(cast("int", fd), request, arg, mutate_flag)
        if request in _NOTHING_TO_DO:
            return 0
        if isinstance(arg, int):
            raise TypeError("this request needs a buffer")
        answer = _WORD.pack(_perform(port, request, _WORD.unpack_from(arg)[0]))
        if isinstance(arg, bytes):
            return answer
        memoryview(arg).cast("B")[: _WORD.size] = answer
        return 0

    fcntl.ioctl = ioctl  # type: ignore[assignment]

    def remove() -> None:
        fcntl.ioctl = original

    return remove


def port_of(fd: object) -> Serial | None:
    """Return the virtual port that `fd`, a descriptor or what has one, belongs to, if it does."""
    descriptor = fd if isinstance(fd, int) else cast("int", fd.fileno())  # type: ignore[attr-defined]
    for endpoint in ENDPOINTS.values():
        for port in endpoint.opened:
            if port.fileno() == descriptor:
                return port
    return None


def _perform(port: Serial, request: int, value: int) -> int:
    """Carry out `request`; return the word that goes back to the caller."""
    if request == _WAITING:
        return port.in_waiting
    present = termios.TIOCM_DTR * port.dtr | termios.TIOCM_RTS * port.rts
    if request == termios.TIOCMGET:
        return present
    if request == termios.TIOCMBIS:
        wanted = present | value
    elif request == termios.TIOCMBIC:
        wanted = present & ~value
    else:
        wanted = value
    port.set_lines(dtr=bool(wanted & termios.TIOCM_DTR), rts=bool(wanted & termios.TIOCM_RTS))
    return value
