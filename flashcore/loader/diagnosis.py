"""What a port that does not answer like a loader is, judged by what came back from it.

The order matters: an echo repeats our own SYNC; a boot log says in which mode the chip started; NMEA sentences and modem words
are known devices; other text is some firmware; bytes that are no text come from a wrong baud rate, noise or another protocol;
a line that is only zeros or ones has no sender; and nothing at all is its own finding. Each finding is an error of its own
with a hint of its own. Source: fault catalogue rows 2, 3, 5, 11, 26.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from flashcore.errors import (
    BridgeEchoError,
    ConnectError,
    ContextValue,
    NoAnswerError,
    NotAnEspDeviceError,
    WrongBootModeError,
)
from flashcore.loader import straps
from flashcore.loader.policy import DEFAULT_POLICY
from flashcore.loader.session import SYNC_WIRE
from flashcore.protocol import boot_log

HOLD_BOOT = "try again with --before manual, and hold the BOOT button (IO0 to ground), tap RESET and release BOOT meanwhile"
"""What helps on every board when the automatic reset does not."""

_NMEA = re.compile(rb"\$(?:G[PNLABQ]|BD|QZ|P[A-Z]{3})[A-Z0-9]{0,5},[\x20-\x7e]{0,90}")
_MODEM = re.compile(rb"(?:^|[\r\n])(ERROR|OK|NO CARRIER|\+CM[ES] ERROR: ?[^\r\n]*|COMMAND NOT SUPPORT)\r?\n")
_TEXT_SHARE = 0.7
_QUOTE = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How connecting was tried.

    Args:
        port: The port's name.
        resets: Reset sequences run.
        syncs: SYNCs sent.
        has_lines: Whether the port has modem lines.
        heard: The last bytes received, as they came.
        received: How many bytes were received in all.
        lines_s: How late the modem lines take effect, as far as could be measured.
    """

    port: str
    resets: int
    syncs: int
    has_lines: bool
    heard: bytes
    received: int
    lines_s: float = 0.0

    @property
    def tries(self) -> str:
        """Describe the effort, for a message."""
        resets = f"{self.resets} reset{'s' if self.resets != 1 else ''}, " if self.resets else ""
        return f"{resets}{self.syncs} SYNC{'s' if self.syncs != 1 else ''}"


def is_echo(heard: bytes) -> bool:
    """Tell whether what was heard is what was sent."""
    return SYNC_WIRE in heard or SYNC_WIRE[1:-1] in heard


def diagnose(attempt: Attempt) -> ConnectError:
    """Return the error that explains why no loader answered."""
    heard = attempt.heard
    if not attempt.received:
        return _silent(attempt)
    if is_echo(heard):
        return BridgeEchoError(
            f"{attempt.port} sends back what is sent to it ({attempt.tries})",
            hint="TX and RX are connected to each other, or the adapter is in loop-back: check the wiring; "
            "an adapter with no chip behind it can look like this too",
            context={"received": attempt.received},
        )
    report = boot_log.parse(heard)
    if report is not None:
        return _booted(attempt, _most_telling(heard, report))
    if heard.count(0) == len(heard) or heard.count(0xFF) == len(heard):
        level, cause = ("low", "0x00") if heard[0] == 0 else ("floating", "0xFF")
        return NoAnswerError(
            f"nothing but {cause} came back from {attempt.port} in {attempt.tries}: its receive line is {level}",
            hint="the chip has no power, is held in reset, or its TX pin is not connected to the adapter's RX",
            code="connect.line_stuck",
            context={"received": attempt.received, "byte": heard[0]},
        )
    return _stranger(attempt)


def _silent(attempt: Attempt) -> ConnectError:
    if attempt.has_lines or not attempt.syncs:
        hint = f"is it the right port, has the board power, is the cable one with data wires? If all that is so, {HOLD_BOOT}"
    else:
        hint = f"this kind of port cannot reset the chip: {HOLD_BOOT}"
    return NoAnswerError(
        f"not one byte came back from {attempt.port} in {attempt.tries}",
        hint=hint,
        context={"resets": attempt.resets, "syncs": attempt.syncs, "received": 0},
    )


def _most_telling(heard: bytes, last: boot_log.BootReport) -> boot_log.BootReport:
    """Return the boot that says most: one into download mode, else one with GPIO0 low in another mode, else the last.

    Of several reset sequences one that suits the board shows what keeps the chip out; the others only start its firmware.
    """
    boots = boot_log.parse_all(heard)
    waiting = [boot for boot in boots if boot.is_download_mode]
    strapped = [boot for boot in boots if boot.strap is not None and not boot.strap & straps.IO0]
    return [last, *strapped, *waiting][-1]


def _booted(attempt: Attempt, report: boot_log.BootReport) -> ConnectError:
    last = boot_log.last_text_line(attempt.heard)
    context: dict[str, ContextValue] = {
        "strap": report.strap,
        "mode": report.mode,
        "reset": report.reset_name,
        "last_line": last,
        "received": attempt.received,
    }
    brownout = any("Brownout" in problem for problem in report.problems) or "BROWN" in report.reset_name.upper()
    power = " The chip's supply breaks down (brownout): use another cable, port or supply." if brownout else ""
    if report.is_download_mode and not report.waiting_for_download and b"waiting for download" not in attempt.heard:
        return ConnectError(
            f"the chip starts for a download ({report.mode}) but does not wait for one, and answers none of {attempt.tries}",
            hint="its eFuses may have turned UART download mode off (UART_DOWNLOAD_DIS), which cannot be undone: then only the "
            f"firmware itself can update it.{power}",
            code="connect.download_disabled",
            context=context,
        )
    if report.is_download_mode:
        return ConnectError(
            f"the chip waits for a download ({report.mode or 'waiting for download'}) but answers none of {attempt.tries}: "
            "the serial TX path to it seems to be down",
            hint="bytes come from the chip but do not reach it: check the wire from the adapter's TX to the chip's RX, and "
            f"whether something else on the board drives RX0 (GPIO3), such as a GPS module.{power}",
            code="connect.no_way_in",
            context=context,
        )
    mode = f"{report.mode} (boot:0x{report.strap:x})" if report.strap is not None else "its firmware"
    says = f'; its last words: "{_cut(last)}"' if last else ""
    pin = straps.culprit(report.strap) if report.strap is not None else None
    if pin is not None and pin.pin != "GPIO0":
        return WrongBootModeError(
            f"the chip does not enter download mode: it started in mode {mode}, since {pin.pin} was {pin.level}",
            hint=f"{pin.advice}.{power}",
            code="connect.wrong_strap",
            context={**context, "pin": pin.pin},
        )
    slow = ""
    if attempt.lines_s >= DEFAULT_POLICY.slow_lines_s:
        context["lines_s"] = attempt.lines_s
        slow = (
            f"the modem lines are slow: they take effect after {attempt.lines_s * 1000:.0f} ms (a network link, a virtual "
            "machine or a hub in between?), too late for the reset circuit; "
        )
    return WrongBootModeError(
        f"the chip does not enter download mode: it started in mode {mode}{says}",
        hint=f"{slow}{HOLD_BOOT}.{power}",
        context=context,
    )


def _stranger(attempt: Attempt) -> ConnectError:
    heard = attempt.heard
    quote = _quote(heard)
    context: dict[str, ContextValue] = {"received": attempt.received, "quote": quote}
    if _NMEA.search(heard):
        return NotAnEspDeviceError(
            f'{attempt.port} sends NMEA sentences, so it looks like a GPS receiver: "{quote}"',
            hint="choose the board's own port; if this is an ESP32 whose firmware passes a GPS through, " + HOLD_BOOT,
            code="connect.not_an_esp_device",
            context={**context, "looks_like": "gps"},
        )
    if found := _MODEM.search(heard):
        return NotAnEspDeviceError(
            f'{attempt.port} answers "{found[1].decode("ascii")}" like a modem, not like an Espressif chip',
            hint="choose another port: phones, cellular modems and AT-command modules show up as serial ports too",
            context={**context, "looks_like": "modem"},
        )
    readable = sum(heard.count(byte) for byte in _READABLE)
    if readable >= _TEXT_SHARE * len(heard):
        return NotAnEspDeviceError(
            f'{attempt.port} sends text but no loader answers: "{quote}"',
            hint=f"this is another device, or firmware that the reset did not stop. If it is your board, {HOLD_BOOT}",
            context={**context, "looks_like": "text"},
        )
    return NotAnEspDeviceError(
        f"{attempt.port} sends bytes that are neither frames nor text: {quote}",
        hint="this is another device, a firmware at another baud rate, or a disturbed line: check port, cable and ground; "
        f"if it is your board, {HOLD_BOOT}",
        context={**context, "looks_like": "binary"},
    )


_READABLE = bytes(range(0x20, 0x7F)) + b"\t\r\n\x1b"


def _quote(heard: bytes) -> str:
    line = boot_log.last_text_line(heard)
    if len(line) >= 4:
        return _cut(line)
    return f"{len(heard)} bytes ending in {heard[-16:].hex(' ')}"


def _cut(text: str) -> str:
    return text if len(text) <= _QUOTE else text[: _QUOTE - 3] + "..."
