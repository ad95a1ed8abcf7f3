"""Commands that talk to a chip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from flashcore.chips import ESP32, SECTOR_SIZE
from flashcore.cli.arguments import NUMBER, PortOptions, parse_pairs, port_options
from flashcore.cli.help import Command
from flashcore.cli.work import connected, session_options, view_of
from flashcore.errors import FlashcoreError, UsageError
from flashcore.image import ImageWarning, Region, check, load_regions
from flashcore.whole_file import WholeFile

_FLASH_SIZE = click.option("--flash-size", type=NUMBER, metavar="SIZE", help="Instead of what the flash chip says.")


def _choice(ctx: click.Context, options: dict[str, object]) -> PortOptions:
    return PortOptions(**options).over(ctx.obj)  # type: ignore[arg-type]  # names and types are those of `port_options`


_UNPROTECT = click.option("--unprotect", is_flag=True, help="Clear the flash chip's protection bits first.")


@click.command("info", cls=Command)
@port_options
@click.pass_context
def info_command(ctx: click.Context, /, **options: object) -> None:
    """Show the chip, its revision and features, MAC address, crystal and flash."""
    choice = _choice(ctx, options)
    view = view_of(choice)
    with connected(choice, view) as work:
        info = work.flasher.info()
        mac = info.silicon.mac_text + ("" if info.silicon.mac_valid else " (its CRC is wrong)")
        crystal = f"{info.crystal.nominal} MHz" if info.crystal else "unknown (the running stub has changed the clock)"
        if info.crystal and not info.crystal.is_plausible:
            crystal += f" (measured {info.crystal.measured:.1f} MHz)"
        lines = [
            f"Chip:     {info.silicon}",
            f"Features: {', '.join(info.silicon.features)}",
            f"Security: {info.security}",
            f"Crystal:  {crystal}",
            f"MAC:      {mac}",
            f"Flash:    {info.flash_size >> 20} MB, id 0x{info.jedec_id:06x}",
        ]
        view.result("info", info.to_json(), lines)


@click.command("write", cls=Command)
@click.argument("pairs", nargs=-1, metavar="ADDR FILE [ADDR FILE ...]")
@click.option("--no-compress", is_flag=True, help="Send the data as it is.")
@click.option("--force", is_flag=True, help="Write also images that are damaged, for another chip, or at a wrong place.")
@_UNPROTECT
@_FLASH_SIZE
@port_options
@click.pass_context
def write_command(
    ctx: click.Context,
    /,
    pairs: tuple[str, ...],
    no_compress: bool,
    force: bool,
    unprotect: bool,
    flash_size: int | None,
    **options: object,
) -> None:
    """Write files to flash and verify them by MD5. Everything that can be checked is checked before the first byte."""
    choice = _choice(ctx, options)
    view = view_of(choice)
    regions = load_regions(parse_pairs(pairs))
    session = session_options(choice, flash_size)
    chip = session.chip or ESP32
    check(regions, chip, flash_size or chip.max_flash_size, force=force)
    with connected(choice, view, flash_size) as work:
        warnings = work.flasher.write(regions, compress=not no_compress, force=force, unprotect=unprotect)
        view.result("write", {**_summary(regions), "warnings": [one.to_json() for one in warnings]}, _warned(warnings))


@click.command("verify", cls=Command)
@click.argument("pairs", nargs=-1, metavar="ADDR FILE [ADDR FILE ...]")
@_FLASH_SIZE
@port_options
@click.pass_context
def verify_command(ctx: click.Context, /, pairs: tuple[str, ...], flash_size: int | None, **options: object) -> None:
    """Compare flash with files by MD5."""
    choice = _choice(ctx, options)
    view = view_of(choice)
    regions = load_regions(parse_pairs(pairs))
    with connected(choice, view, flash_size) as work:
        work.flasher.verify(regions)
        view.result("verify", _summary(regions), ["Flash and files are the same."])


@click.command("read", cls=Command)
@click.argument("addr", type=NUMBER)
@click.argument("size")
@click.argument("file", type=click.Path(path_type=Path))
@_FLASH_SIZE
@port_options
@click.pass_context
def read_command(ctx: click.Context, /, addr: int, size: str, file: Path, flash_size: int | None, **options: object) -> None:
    """Read SIZE bytes of flash from ADDR on to FILE; SIZE 'all' reads to the end. The file appears when it is complete."""
    choice = _choice(ctx, options)
    view = view_of(choice)
    fixed = None if size.lower() == "all" else NUMBER.convert(size, None, ctx)
    with _new_file(file) as new, connected(choice, view, flash_size) as work:
        count = fixed if fixed is not None else max(0, work.flasher.flash_size - addr)
        for piece in work.flasher.iter_read(addr, count):
            with _writing(file):
                new.write(piece)
        with _writing(file):
            new.keep()
        view.result("read", {"offset": addr, "size": count, "file": str(file)}, [f"{count} bytes are in {file}"])


@click.command("erase", cls=Command)
@click.argument("addr", type=NUMBER, required=False)
@click.argument("size", type=NUMBER, required=False)
@_UNPROTECT
@_FLASH_SIZE
@port_options
@click.pass_context
def erase_command(
    ctx: click.Context, /, addr: int | None, size: int | None, unprotect: bool, flash_size: int | None, **options: object
) -> None:
    """Erase the whole flash, or SIZE bytes at ADDR, both multiples of 4096."""
    choice = _choice(ctx, options)
    view = view_of(choice)
    if addr is not None and size is None:
        raise UsageError(
            "erasing a part takes both an address and a size",
            hint=f"for example: flashcore erase 0x{addr:x} 0x{SECTOR_SIZE:x}",
            code="usage.erase",
        )
    with connected(choice, view, flash_size) as work:
        work.flasher.erase(addr, size, unprotect=unprotect)
        count = work.flasher.flash_size if size is None else size
        view.result("erase", {"offset": addr or 0, "size": count}, [])


def _summary(regions: Sequence[Region]) -> dict[str, object]:
    return {"regions": [{"offset": one.offset, "size": one.size, "name": one.name} for one in regions]}


def _warned(warnings: Iterable[ImageWarning]) -> list[str]:
    return [f"Warning: {one.message}" for one in warnings]


def _new_file(path: Path) -> WholeFile:
    with _writing(path):
        return WholeFile(path)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FlashcoreError(
            f"{path} cannot be written: {error.strerror}", hint="choose another place", code="file.not_writable"
        ) from error
