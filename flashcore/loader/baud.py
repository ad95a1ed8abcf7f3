"""Another baud rate, proved before it is trusted, and a ladder down where it does not work.

A loader answers CHANGE_BAUDRATE at the old rate and then listens at the new one, whether or not the bridge, the cable or the
chip's divider can do it. So a new rate is tested in both directions before anything depends on it: registers are read one
after the other, and each answer must hold the known word. Frames that only fail when they are long show while the work is
done; then the next lower rate is taken as well. Source: fault catalogue rows 6, 63, 46.
"""

from __future__ import annotations

import contextlib

from flashcore.chips import MAGIC_REGISTER
from flashcore.errors import DeadlineExceededError, RemoteProtocolError
from flashcore.loader.base import Loader
from flashcore.loader.policy import ROM_BAUDRATE, Policy
from flashcore.port import ns
from flashcore.protocol import commands


def below(rate: int, policy: Policy) -> int:
    """Return the next rate on the ladder below `rate`, at least `ROM_BAUDRATE`."""
    return max((rung for rung in policy.baud_ladder if rung < rate), default=ROM_BAUDRATE)


def change(loader: Loader, rate: int) -> None:
    """Move loader and port to `rate`, and prove that both directions work; on failure the port is left at the new rate.

    Raises:
        DeviceError: The loader refuses the change; it stays at the old rate.
        DeadlineExceededError: An answer is missing at the new rate.
        RemoteProtocolError: An answer is wrong at the new rate.
        ChipResetError: The chip restarted.
        PortError: The port refuses the rate.
    """
    session, old = loader.session, loader.session.port.baudrate
    _move(loader, rate, old)
    try:
        session.resync()
    except DeadlineExceededError:
        # The command may have been lost: then the loader still answers at the old rate, and is told once more.
        session.port.set_baudrate(old)
        answer = session.sync_once(session.policy.sync_s[1])
        if answer is None:
            session.port.set_baudrate(rate)
            raise
        session.drain()
        _move(loader, rate, old)
        session.resync()
    prove(loader)


def _move(loader: Loader, rate: int, old: int) -> None:
    session = loader.session
    # The answer may be lost although the change was made; the test tells.
    with contextlib.suppress(DeadlineExceededError):
        loader.change_baudrate(rate, old)
    session.port.set_baudrate(rate)
    session.clock.sleep_until(session.clock.now_ns() + ns(session.policy.baud_settle_s))


def prove(loader: Loader) -> None:
    """Test the link as it is: read a known word again and again.

    Raises:
        DeadlineExceededError: An answer is missing.
        RemoteProtocolError: An answer is wrong.
        DeviceError: A command arrived damaged.
        ChipResetError: The chip restarted.
    """
    session, policy = loader.session, loader.policy
    words = {session.command(commands.read_reg(MAGIC_REGISTER), policy.baud_answer_s).value for _ in range(policy.baud_probes)}
    if len(words) != 1:
        raise RemoteProtocolError(f"{policy.baud_probes} readings of one register gave {len(words)} values")


def find(loader: Loader, *rates: int) -> bool:
    """Look for a loader that may be at any of `rates`, and leave the port where it answers."""
    session = loader.session
    for rate in dict.fromkeys(rates):
        session.port.set_baudrate(rate)
        try:
            session.resync()
        except DeadlineExceededError:
            continue
        return True
    return False
