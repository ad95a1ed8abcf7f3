"""What is written on a command line, turned into values: addresses, sizes, and pairs of address and file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import click

from flashcore.errors import UsageError

MAX_BAUD = 20_000_000
"""More than any bridge can do; the systems below take 31 bits."""

_SUFFIXES = {"k": 1 << 10, "m": 1 << 20}


def parse_number(text: str) -> int:
    """Return the number written as decimal, ``0x`` hexadecimal, or with a suffix k (1024) or M (1048576).

    Raises:
        UsageError: It is no such number, or negative.
    """
    body, factor = text.strip().replace("_", ""), 1
    if body[-1:].lower() in _SUFFIXES and not body.lower().startswith("0x"):
        body, factor = body[:-1], _SUFFIXES[body[-1].lower()]
    try:
        value = int(body, 0) * factor
    except ValueError:
        value = -1
    if value < 0:
        raise UsageError(
            f"{text!r} is no address or size",
            hint="write 65536, 0x10000, 64k or 4M",
            code="usage.number",
            context={"text": text},
        )
    return value


class Number(click.ParamType):  # type: ignore[type-arg]  # generic only in newer releases of click
    """An address or a size."""

    name = "number"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return `value` as an integer."""
        return value if isinstance(value, int) else parse_number(str(value))


NUMBER = Number()


LONGEST_WAIT_S = 1_000_000
"""Eleven days."""


class Wait(click.ParamType):  # type: ignore[type-arg]  # generic only in newer releases of click
    """How long to wait, in seconds; 0 is not at all."""

    name = "seconds"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return `value` as a number."""
        try:
            seconds = float(str(value))
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= LONGEST_WAIT_S:
            self.fail(f"{value!r} is no number of seconds from 0 to {LONGEST_WAIT_S}", param, ctx)
        return seconds


def parse_pairs(words: Sequence[str]) -> list[tuple[int, str]]:
    """Return ``ADDR FILE ADDR FILE ...`` as pairs.

    Raises:
        UsageError: There are none, one is incomplete, or an address cannot be read.
    """
    if not words or len(words) % 2:
        raise UsageError(
            "expected pairs of address and file" + (f", the last one, {words[-1]!r}, has no partner" if words else ""),
            hint="for example: 0x1000 bootloader.bin 0x8000 partitions.bin 0x10000 app.bin",
            code="usage.pairs",
        )
    return [(parse_number(words[index]), words[index + 1]) for index in range(0, len(words), 2)]


@dataclass(slots=True)
class PortOptions:
    """Options of the port and the session; ``None`` where the user said nothing."""

    port: str | None = None
    baud: int | None = None
    chip: str | None = None
    before: str | None = None
    after: str | None = None
    no_stub: bool = False
    no_boot_check: bool = False
    json: bool = False
    trace: str | None = None
    wait_port: float | None = None

    def over(self, lower: PortOptions) -> PortOptions:
        """Return these options, and `lower`'s where nothing was said."""
        return PortOptions(
            port=self.port if self.port is not None else lower.port,
            baud=self.baud if self.baud is not None else lower.baud,
            chip=self.chip if self.chip is not None else lower.chip,
            before=self.before if self.before is not None else lower.before,
            after=self.after if self.after is not None else lower.after,
            no_stub=self.no_stub or lower.no_stub,
            no_boot_check=self.no_boot_check or lower.no_boot_check,
            json=self.json or lower.json,
            trace=self.trace if self.trace is not None else lower.trace,
            wait_port=self.wait_port if self.wait_port is not None else lower.wait_port,
        )


F = TypeVar("F", bound=Callable[..., object])


def port_options(function: F) -> F:
    """Give a command the options of `PortOptions`."""
    from flashcore.cli.overview import OPTIONS

    def text(start: str) -> str:
        return next(line for name, line in OPTIONS.items() if start in name)

    for decorate in reversed(
        (
            click.option("-p", "--port", metavar="PORT", help=text("--port")),
            click.option("-b", "--baud", type=click.IntRange(300, MAX_BAUD), metavar="RATE", help=text("--baud")),
            click.option("--chip", metavar="NAME", help=text("--chip")),
            click.option("--before", metavar="HOW", help=text("--before")),
            click.option("--after", metavar="HOW", help=text("--after")),
            click.option("--no-stub", is_flag=True, help=text("--no-stub")),
            click.option("--no-boot-check", is_flag=True, help=text("--no-boot-check")),
            click.option("--json", is_flag=True, help=text("--json")),
            click.option("--trace", metavar="FILE", help=text("--trace")),
            click.option("--wait-port", type=Wait(), metavar="SECONDS", help=text("--wait-port")),
        )
    ):
        function = decorate(function)
    return function
