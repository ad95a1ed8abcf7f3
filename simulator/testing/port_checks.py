"""The rules of `flashcore.port.Port`, played to any implementation of it.

Whoever writes a port of his own (a Bluetooth bridge, a farm of boards) runs `check_port` in one test and knows that the loader
can rely on it. The rules are those of the protocol's docstrings. All waiting is done on the port's own clock, so a virtual port
is checked in no time, and no rule depends on how fast the machine is. Each check gets a port of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from types import MappingProxyType

from flashcore.errors import DeadlineExceededError, LinesUnsupportedError, PortError, PortLostError
from flashcore.port import LineSupport, Port, ns
from simulator.testing.port_bench import LineStates, PortBench, Probe

ALL_BYTES = bytes(range(256))
"""Every value once: a port may take none of them for a sign of its own (XON, XOFF, telnet's 0xFF, an end of line)."""

LONG = ALL_BYTES * 64
"""More than the loader ever writes at once (16 KiB), and more than a pseudo-terminal buffers."""

QUIET_S = 0.03
"""For how long silence is listened to."""

TOO_MUCH = bytes(1 << 20)
"""More than any driver takes for a far end that has stopped reading."""


def check_port(factory: Callable[[], AbstractContextManager[PortBench]], *, patience_s: float = 5.0) -> tuple[str, ...]:
    """Check that a port keeps the rules of `flashcore.port.Port`.

    Args:
        factory: Opens a port with somebody at its far end, and tidies up when it is left; called once for each check.
        patience_s: How long to wait for what must come, in seconds of the port's clock.

    Returns:
        The names of the checks that were made. ``lines``, ``atomic lines``, ``released lines``, ``stuck write`` and
        ``unplugged`` are made only where the bench has what they need.

    Raises:
        AssertionError: The port breaks a rule; the message names rule and problem.
    """
    made = []
    for name, check in CHECKS.items():
        with factory() as bench:
            if not _possible(name, bench):
                continue
            probe = Probe(bench, name, patience_s)
            try:
                check(probe)
            except AssertionError:
                raise
            except Exception as error:
                raise AssertionError(
                    f"{type(bench.port).__name__} breaks the rule {name!r} of flashcore.port.Port: "
                    f"it raised {type(error).__name__}: {error}"
                ) from error
        made.append(name)
    return tuple(made)


def _possible(name: str, bench: PortBench) -> bool:
    match name:
        case "lines" | "atomic lines" | "released lines" if bench.port.line_support is not LineSupport.NONE:
            return bench.lines is not None
        case "atomic lines" | "released lines":
            return False
        case "stuck write":
            return bench.clog is not None
        case "unplugged":
            return bench.unplug is not None
        case _:
            return True


def _identity(probe: Probe) -> None:
    port = probe.port
    probe.require(isinstance(port, Port), "it lacks an attribute of the protocol")
    name: object = port.name
    probe.require(isinstance(name, str) and name != "", f"its name is {name!r}, so no message can name it")
    support: object = port.line_support
    probe.require(isinstance(support, LineSupport), f"line_support is {support!r}, not a LineSupport")
    baudrate: object = port.baudrate
    probe.require(isinstance(baudrate, int) and baudrate > 0, f"baudrate is {baudrate!r}, not a positive int")


def _clock(probe: Probe) -> None:
    clock = probe.port.clock
    start = clock.now_ns()
    probe.require(isinstance(start, int), f"clock.now_ns() is {start!r}, not integer nanoseconds")
    clock.sleep_until(start - ns(1))
    probe.require(clock.now_ns() >= start, "its clock goes backwards")
    goal = start + ns(0.02)
    clock.sleep_until(goal)
    probe.require(clock.now_ns() >= goal, "clock.sleep_until came back before the time was there")


def _silence(probe: Probe) -> None:
    deadline = probe.now() + ns(QUIET_S)
    data = probe.port.read(16, deadline)
    probe.require(data == b"" and isinstance(data, bytes), f"read returned {data!r} though nothing was sent, not b''")
    probe.require(probe.now() >= deadline, "read returned nothing before its deadline")


def _past_deadline(probe: Probe) -> None:
    data = probe.port.read(16, probe.now() - 1)
    probe.require(data == b"", f"read with a deadline in the past returned {data!r} though nothing was sent, not b''")
    probe.bench.send(b"ab")
    got = probe.collect(1)
    probe.require(got == b"a", f"b'ab' was sent and the first byte read was {got!r}")
    late: list[bytes] = []

    def there() -> bool:
        late.append(probe.port.read(16, probe.now() - 1))
        return bool(late[-1])

    probe.until(there)
    probe.require(late[-1] == b"b", "read does not return what is there once its deadline has passed")


def _every_byte_comes(probe: Probe) -> None:
    probe.bench.send(ALL_BYTES)
    got = probe.collect(len(ALL_BYTES))
    probe.require(got == ALL_BYTES, f"of all 256 byte values {_difference(got, ALL_BYTES)}")


def _limit(probe: Probe) -> None:
    sent = b"0123456789"
    probe.bench.send(sent)
    probe.wait(0.05)
    first = probe.port.read(4, probe.soon())
    probe.require(len(first) <= 4, f"read(4) returned {len(first)} bytes")
    got = first + probe.collect(len(sent) - len(first))
    probe.require(got == sent, f"what is beyond max_bytes must stay for the next read; {sent!r} became {got!r}")


def _first_byte(probe: Probe) -> None:
    probe.bench.send(b"x")
    deadline = probe.soon()
    data = probe.port.read(64, deadline)
    probe.require(data == b"x", f"b'x' was sent and {data!r} read")
    probe.require(probe.now() < deadline, "read waits for max_bytes; it must return with the first byte that is there")


def _every_byte_goes(probe: Probe) -> None:
    probe.port.write(ALL_BYTES, probe.soon())
    got = probe.arrived(len(ALL_BYTES))
    probe.require(got == ALL_BYTES, f"of all 256 byte values {_difference(got, ALL_BYTES)} at the far end")


def _long_write(probe: Probe) -> None:
    probe.port.write(LONG, probe.soon())
    got = probe.arrived(len(LONG))
    probe.require(got == LONG, f"of a write of {len(LONG)} bytes {_difference(got, LONG)} at the far end")


def _empty_write(probe: Probe) -> None:
    probe.port.write(b"", probe.soon())
    probe.port.write(b".", probe.soon())
    got = probe.arrived(1)
    probe.require(got == b".", f"after an empty write and b'.' the far end has {got!r}")


def _discard(probe: Probe) -> None:
    probe.bench.send(b"old!")
    got = probe.collect(1)
    probe.require(got == b"o", f"b'old!' was sent and the first byte read was {got!r}")
    probe.wait(0.05)
    probe.port.discard_input()
    probe.bench.send(b"new")
    got = probe.collect(3)
    probe.require(got == b"new", f"after discard_input {got!r} was read, not what was sent since")


def _baudrate(probe: Probe) -> None:
    port = probe.port
    before = port.baudrate
    for rate in (57600, before):
        kept = port.baudrate
        try:
            port.set_baudrate(rate)
        except PortError:
            probe.require(port.baudrate == kept, f"it refused {rate} baud and is at {port.baudrate} now, not {kept} as before")
        else:
            probe.require(port.baudrate == rate, f"after set_baudrate({rate}) baudrate is {port.baudrate}")


def _lines(probe: Probe) -> None:
    port = probe.port
    if port.line_support is LineSupport.NONE:
        try:
            port.set_lines(dtr=True)
        except LinesUnsupportedError:
            return
        probe.fail("it says that it has no modem lines, and set_lines raises no LinesUnsupportedError")
    for dtr, rts, wanted in (
        (True, True, (True, True)),
        (False, None, (False, True)),
        (None, False, (False, False)),
        (True, None, (True, False)),
        (None, None, (True, False)),
        (False, True, (False, True)),
    ):
        port.set_lines(dtr=dtr, rts=rts)
        probe.until(lambda wanted=wanted: _seen(probe)[-1:] == [wanted])  # type: ignore[misc]
        state = _seen(probe)[-1:]
        probe.require(
            state == [wanted], f"after set_lines(dtr={dtr}, rts={rts}) the far end has (DTR, RTS) = {state}, not {wanted}"
        )


def _atomic_lines(probe: Probe) -> None:
    port = probe.port
    port.set_lines(dtr=True, rts=False)
    probe.until(lambda: _seen(probe)[-1:] == [(True, False)])
    count = len(_seen(probe))
    port.set_lines(dtr=False, rts=True)
    probe.until(lambda: _seen(probe)[-1:] == [(False, True)])
    between = _seen(probe)[count:-1]
    if port.line_support is LineSupport.ATOMIC:
        probe.require(not between, f"it says that both lines change in one step, and the far end saw {between} in between")
    else:
        probe.require(
            between == [(False, False)], f"it says that DTR changes first, then RTS, and the far end saw {between} in between"
        )


def _released_lines(probe: Probe) -> None:
    probe.port.set_lines(dtr=True, rts=True)
    clock = probe.port.clock
    probe.port.close()
    for _ in range(200):
        if _seen(probe)[-1:] == [(False, False)]:
            return
        clock.sleep_until(clock.now_ns() + ns(0.005))
    probe.fail(f"after close (DTR, RTS) = {_seen(probe)[-1:]}, not both released")


def _closed(probe: Probe) -> None:
    port = probe.port
    port.close()
    try:
        port.close()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is wrong
        probe.fail(f"closing it twice raises {type(error).__name__}: {error}")
    _gone(probe, "after close", patient=False)


def _stuck_write(probe: Probe) -> None:
    assert probe.bench.clog is not None
    probe.bench.clog()
    deadline = probe.now() + ns(0.2)
    try:
        probe.port.write(TOO_MUCH, deadline)
    except DeadlineExceededError:
        probe.require(probe.now() >= deadline, "write raised DeadlineExceededError before its deadline")
        return
    probe.fail(f"nobody takes its bytes, and a write of {len(TOO_MUCH)} bytes raises no DeadlineExceededError")


def _unplugged(probe: Probe) -> None:
    assert probe.bench.unplug is not None
    probe.bench.unplug()
    _gone(probe, "after the cable was pulled", patient=True)
    try:
        probe.port.close()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is wrong
        probe.fail(f"closing it after the cable was pulled raises {type(error).__name__}: {error}")


def _gone(probe: Probe, when: str, *, patient: bool) -> None:
    """Require that reading and writing raise `PortLostError`, at once or, if `patient`, before long."""
    for verb, attempt in (
        ("read", lambda: probe.port.read(1, probe.now() + ns(0.02))),
        ("write", lambda: probe.port.write(b"?", probe.now() + ns(0.02))),
    ):

        def lost(attempt: Callable[[], object] = attempt) -> bool:
            with suppress(DeadlineExceededError):
                try:
                    attempt()
                except PortLostError:
                    return True
            return False

        found = probe.until(lost) if patient else lost()
        probe.require(found, f"{verb} {when} raises no PortLostError")


def _seen(probe: Probe) -> list[tuple[bool, bool]]:
    assert probe.bench.lines is not None
    states: LineStates = probe.bench.lines()
    return list(states)


def _difference(got: bytes, sent: bytes) -> str:
    place = next((at for at, (mine, theirs) in enumerate(zip(got, sent, strict=False)) if mine != theirs), None)
    if place is None:
        return f"{len(got)} arrived"
    return f"the one at {place} (0x{sent[place]:02x}) arrived as 0x{got[place]:02x}"


CHECKS: Mapping[str, Callable[[Probe], None]] = MappingProxyType(
    {
        "identity": _identity,
        "clock": _clock,
        "silence": _silence,
        "limit": _limit,
        "past deadline": _past_deadline,
        "every byte comes": _every_byte_comes,
        "first byte": _first_byte,
        "every byte goes": _every_byte_goes,
        "long write": _long_write,
        "empty write": _empty_write,
        "discard": _discard,
        "baudrate": _baudrate,
        "lines": _lines,
        "atomic lines": _atomic_lines,
        "released lines": _released_lines,
        "closed": _closed,
        "stuck write": _stuck_write,
        "unplugged": _unplugged,
    }
)
"""Every rule by its name, in the order in which they are checked."""
