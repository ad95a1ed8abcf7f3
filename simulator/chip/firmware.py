"""What the application says on the UART once it runs: the chatter that a flasher meets instead of a loader.

A profile is a name, a rate, and an endless script. Which one runs follows from the app's own description in flash (its
project name), else from the board. Contents are typical, not recorded: format and pace are what matter to a flasher.

Fidelity: from source (ESP-IDF's start-up log, NMEA 0183) and public logs for the forms; the values in them are invented.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import count
from operator import xor
from types import MappingProxyType

from flashcore.image.descriptor import AppDescriptor
from simulator.chip.idf_log import IdfLog
from simulator.chip.names import unknown
from simulator.chip.program import Program
from simulator.chip.script import Script, Step, Steps
from simulator.chip.soc import ResetCause, Soc
from simulator.kernel import MS, S

Say = Callable[[Soc, IdfLog], Steps]
"""Makes the script of an application."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareProfile:
    """One kind of application.

    Args:
        name: How scenarios call it.
        title: What it is.
        say: Its script.
        baud: Rate of its UART.
        projects: Project names in app descriptors that mean this profile, in lower case, besides `name`.
        announces: Whether ESP-IDF's start-up log comes first, with project name and version from the descriptor.
        echoes: Whether it sends back what is typed, as a prompt does.
    """

    name: str
    title: str
    say: Say
    baud: int = 115200
    projects: tuple[str, ...] = ()
    announces: bool = False
    echoes: bool = False


def _nothing(soc: Soc, log: IdfLog) -> Steps:
    return iter(())


def _idf(soc: Soc, log: IdfLog) -> Steps:
    yield log.info("main_task", "Started on CPU0")
    yield log.info("main_task", "Calling app_main()")


def _arduino(soc: Soc, log: IdfLog) -> Steps:
    yield Step(b"", 200 * MS)
    for number in count(1):
        yield Step(b"counter: %d\r\n" % number, S)


def nmea(body: str) -> bytes:
    """Return the NMEA sentence with content `body`: dollar sign, content, checksum, end of line."""
    data = body.encode("ascii")
    return b"$%s*%02X\r\n" % (data, reduce(xor, data))


def _softrf(soc: Soc, log: IdfLog) -> Steps:
    yield Step(b"\r\nSoftRF-MB1.2 FW.REV: 1.2 DEV.ID: AABBCC\r\nIntializing radio... success!\r\n", 2 * S)
    for second in count(12 * 3600):
        utc = f"{second // 3600 % 24:02d}{second // 60 % 60:02d}{second % 60:02d}.00"
        yield Step(
            nmea(f"GPGGA,{utc},4807.03810,N,01131.00000,E,1,08,0.9,545.4,M,46.9,M,,")
            + nmea(f"GPRMC,{utc},A,4807.03810,N,01131.00000,E,000.0,084.4,020125,,,A")
            + nmea("PFLAU,0,1,2,1,0,,0,,,"),
            S,
        )


def _meshtastic(soc: Soc, log: IdfLog) -> Steps:
    def line(colour: int, level: str, at_s: int, thread: str, text: str) -> Step:
        head = f"\x1b[{colour}m{level:<5}\x1b[0m | ??:??:?? {at_s} [{thread}] {text}\r\n"
        return Step(head.encode(), S // 2)

    yield line(32, "INFO", 1, "main", "//\\ E S H T /\\ S T / C")
    for tick in count(4):
        yield line(34, "DEBUG", tick // 2, "Power", f"Battery: usbPower=1, isCharging=1, batMv={4100 + tick % 7}")
        if tick % 5 == 0:
            yield line(33, "WARN", tick // 2, "GPS", "No GPS lock, searching")


_MICROPYTHON = (
    b'MicroPython v1.22.2 on 2024-02-22; Generic ESP32 module with ESP32\r\nType "help()" for more information.\r\n>>> '
)


def _micropython(soc: Soc, log: IdfLog) -> Steps:
    yield Step(_MICROPYTHON)


def _boot_loop(soc: Soc, log: IdfLog) -> Steps:
    yield Step(b"", 120 * MS)
    yield Step(
        b"Guru Meditation Error: Core  1 panic'ed (LoadProhibited). Exception was unhandled.\r\n\r\n"
        b"Core  1 register dump:\r\n"
        b"PC      : 0x400d1444  PS      : 0x00060730  A0      : 0x800d2c30  A1      : 0x3ffb1f50  \r\n"
        b"EXCVADDR: 0x00000000  LBEG    : 0x400014fd  LEND    : 0x4000150d  LCOUNT  : 0xfffffffc  \r\n\r\n\r\n"
        b"Backtrace: 0x400d1441:0x3ffb1f50 0x400d2c2d:0x3ffb1f70 0x40088215:0x3ffb1f90\r\n\r\n\r\n\r\n\r\n"
        b"ELF file SHA256: 0000000000000000\r\n\r\nRebooting...\r\n"
    )
    soc.reset(ResetCause.SW_CPU_RESET)


def _brown_out_loop(soc: Soc, log: IdfLog) -> Steps:
    yield Step(b"", 250 * MS)
    yield Step(b"\r\nBrownout detector was triggered\r\n\r\n")
    soc.reset(ResetCause.SW_CPU_RESET)


PROFILES: Mapping[str, FirmwareProfile] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            FirmwareProfile(name="silent", title="says nothing", say=_nothing),
            FirmwareProfile(name="esp-idf", title="ESP-IDF app: start-up log, then quiet", say=_idf, announces=True),
            FirmwareProfile(
                name="arduino",
                title="Arduino sketch that prints a counter each second",
                say=_arduino,
                projects=("arduino-lib-builder",),
            ),
            FirmwareProfile(name="softrf", title="SoftRF: NMEA sentences at 1 Hz, 38400 baud", say=_softrf, baud=38400),
            FirmwareProfile(name="meshtastic", title="Meshtastic: coloured log lines", say=_meshtastic),
            FirmwareProfile(name="micropython", title="MicroPython: a prompt that echoes", say=_micropython, echoes=True),
            FirmwareProfile(name="boot-loop", title="panics at once and restarts", say=_boot_loop, announces=True),
            FirmwareProfile(name="brown-out-loop", title="draws too much current and restarts", say=_brown_out_loop),
        )
    }
)
"""Every profile by name."""

_BY_PROJECT = {project: found for found in PROFILES.values() for project in (found.name, *found.projects)}


def profile(name: str) -> FirmwareProfile:
    """Return the profile called `name`.

    Raises:
        ScenarioError: There is none; the message names the nearest and lists all.
    """
    try:
        return PROFILES[name]
    except KeyError:
        raise unknown("firmware profile", name, PROFILES) from None


def application(soc: Soc, descriptor: AppDescriptor | None, log: IdfLog) -> Program:
    """Return the application that the second stage has just loaded.

    Args:
        soc: The chip; its configuration names the profile for apps that no profile knows.
        descriptor: What the app says about itself, if anything.
        log: For start-up lines.
    """
    known = _BY_PROJECT.get(descriptor.project.lower()) if descriptor is not None else None
    chosen = known or profile(soc.config.firmware)
    announced = descriptor if chosen.announces or (known is None and chosen.name != "silent") else None

    def steps() -> Iterator[Step]:
        if announced is not None:
            yield from _start_up(announced, log)
        soc.uart.baud = chosen.baud
        yield from chosen.say(soc, log)

    return Script(soc, steps(), _echo(soc) if chosen.echoes else None)


def _start_up(descriptor: AppDescriptor, log: IdfLog) -> Steps:
    yield log.info("cpu_start", "Multicore app")
    yield log.info("cpu_start", "Pro cpu start user code")
    yield log.info("cpu_start", "cpu freq: 160000000 Hz")
    yield log.info("app_init", "Application information:")
    yield log.info("app_init", f"Project name:     {descriptor.project}")
    yield log.info("app_init", f"App version:      {descriptor.version}")
    yield log.info("app_init", f"Compile time:     {descriptor.date} {descriptor.time}")
    yield log.info("app_init", f"ELF file SHA256:  {descriptor.elf_sha256.hex()[:9]}...")
    yield log.info("app_init", f"ESP-IDF:          {descriptor.idf}")


_NOT_PRINTABLE = bytes(byte for byte in range(256) if not (0x20 <= byte < 0x7F or byte == 0x0D))


def _echo(soc: Soc) -> Callable[[bytes], None]:
    """Return a listener that sends back what can be printed, and a new prompt for each line."""

    def listen(data: bytes) -> None:
        soc.uart.send(data.translate(None, _NOT_PRINTABLE).replace(b"\r", b"\r\n>>> "))

    return listen
