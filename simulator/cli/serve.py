"""``espsim serve``: boards on serial ports, until interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simulator.cli.efuse_files import efuse_option, save_efuse_option
from simulator.cli.seconds import Seconds
from simulator.cli.ways import NETWORK, line_mode_option, listen_option, ways

if TYPE_CHECKING:
    from simulator.board.board import Device
    from simulator.preload.port_list import ListedPort
    from simulator.scenario import World


@click.command("serve")
@click.option(
    "--board",
    "-B",
    "boards",
    multiple=True,
    default=("esp32-devkitc",),
    show_default=True,
    metavar="NAME",
    help="Which board; repeatable, one port each. The last one stands for all further ports.",
)
@click.option("--fault", "-f", "faults", multiple=True, metavar="FAULT", help="A fault for every board; repeatable.")
@click.option("--seed", default=0, show_default=True, help="Seed of the first board; each further one gets the next.")
@click.option(
    "--link",
    "links",
    type=click.Choice(("pty", *NETWORK)),
    multiple=True,
    default=("pty",),
    show_default=True,
    help="What kind of port; repeatable, one for each board. The last one stands for all further ports.",
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="How many ports.  [default: one for each board or link]")
@click.option(
    "--boot",
    type=click.Choice(("flash", "download")),
    help="What the board does at power-on.  [default: flash where the link carries DTR and RTS, else download]",
)
@click.option(
    "--firmware",
    default="",
    metavar="PROFILE",
    help="What app is on the flash of every board, for example softrf or boot-loop; a wrong name lists all.  [default: none]",
)
@efuse_option
@save_efuse_option
@click.option("--pace", type=click.Choice(("real", "max")), default="real", show_default=True, help="Speed of the boards.")
@click.option("--lines", is_flag=True, help="Give the ports DTR and RTS (Linux; needs a C compiler).")
@click.option("--list-port", is_flag=True, help="Let pyserial list the ports, with VID:PID, and no others.")
@listen_option
@line_mode_option
@click.option(
    "--origin",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    help="Let in pages from ORIGIN at --link websocket; repeatable, * for all.  [default: pages of this machine]",
)
@click.option("--timeout", type=Seconds(), metavar="SECONDS", help="Stop after this time.")
def command(
    *,
    boards: tuple[str, ...],
    faults: tuple[str, ...],
    seed: int,
    links: tuple[str, ...],
    count: int | None,
    boot: str | None,
    firmware: str,
    efuse: Path | None,
    save_efuse: Path | None,
    pace: str,
    lines: bool,
    list_port: bool,
    listen: str | None,
    line_mode: str | None,
    origins: tuple[str, ...],
    timeout: float | None,
) -> int:
    """Offer virtual boards on serial ports; print `port: PATH` for each and serve until interrupted.

    With --lines or --list-port a last line `environment: NAME=VALUE ...` says what a client must be started with.
    With --link rfc2217 and tcp PATH is a URL of pyserial. With --link websocket PATH is an address for the module
    simulator/web/serial.js, with a secret that keeps others out.
    """
    total = count or max(len(boards), len(links))
    boards, links = ((*row, *row[-1:] * total)[:total] for row in (boards, links))
    if (lines or list_port) and "pty" not in links:
        raise click.UsageError("--lines and --list-port are for --link pty; the other links have no use for them")
    if (efuse or save_efuse) and total > 1:
        raise click.UsageError("--efuse and --save-efuse are for a single board: no two chips have the same eFuses")
    if save_efuse and not save_efuse.parent.is_dir():
        raise click.BadParameter(f"cannot write {save_efuse}: there is no such folder", param_hint="--save-efuse")
    if save_efuse and save_efuse.is_dir():
        raise click.BadParameter(f"cannot write {save_efuse}: it is a folder", param_hint="--save-efuse")
    openings = ways(listen, line_mode, links, origins)
    import shlex
    from tempfile import TemporaryDirectory

    from simulator.clock import monotonic_ns
    from simulator.flashers.pty_ports import ptys
    from simulator.links import pump
    from simulator.preload import build, environment
    from simulator.scenario import Scenario

    pump.load_all()
    library = build.library() if lines else None
    with ExitStack() as stack:
        pumps: list[pump.Pump] = []
        sockets: dict[str, str] = {}
        shown: list[ListedPort | str] = []
        usb: dict[str, str] = {}
        for number, (board, link, way) in enumerate(zip(boards, links, openings, strict=True)):
            download = boot == "download" if boot else link == "tcp" or (link == "pty" and not lines)
            world = Scenario(
                board=board,
                faults=faults,
                seed=seed + number,
                download=download,
                firmware=firmware,
                efuse=str(efuse) if efuse else "",
            ).build()
            if save_efuse:
                stack.callback(_save_efuse, save_efuse, world)
            if way is not None:
                port = stack.enter_context(closing(way.open(world.device)))
                paths: Sequence[str] = [port.path]
                served: Sequence[tuple[Device, pump.Link]] = [(world.device, port)]
            else:
                folder = Path(stack.enter_context(TemporaryDirectory(prefix="espsim-")))
                found = stack.enter_context(ptys(world, folder, lines=library is not None))
                sockets |= found.sockets
                shown += found.listed
                usb |= found.usb
                paths, served = found.names, found.ports
            pumps += [pump.Pump(device, link, pace=pump.Pace(pace)) for device, link in served]
            for path in paths:
                click.echo(f"port: {path}" + (f"  ({board})" if total > 1 else ""))
        variables = {
            **(environment.for_lines(library, sockets) if library is not None else {}),
            **({**environment.for_list(shown), **usb} if list_port else {}),
        }
        if variables:
            click.echo("environment: " + " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items()))
        until = None if timeout is None else monotonic_ns() + round(timeout * 1e9)
        with suppress(KeyboardInterrupt):
            pump.run(pumps, until_ns=until)
    return 0


def _save_efuse(path: Path, world: World) -> None:
    from flashcore.whole_file import write_whole

    try:
        write_whole(path, world.efuse_image())
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror}") from error
