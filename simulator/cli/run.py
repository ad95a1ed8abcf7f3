"""``espsim run``: one flasher, one board."""

from __future__ import annotations

import os
from pathlib import Path

import click

from simulator.cli.efuse_files import efuse_option, save_efuse_option
from simulator.cli.seconds import Seconds
from simulator.cli.ways import NETWORK, line_mode_option, listen_option, ways

LINKS = ("virtual", "pty", *NETWORK)

EPILOG = """\b
Exit codes: CMD's own, except
    2  a wrong option, an unknown board or fault, a missing file
   70  espsim itself failed, or the model does not know what an ESP32 does here
  124  CMD did not end within --timeout, or waits for something that never comes
  127  CMD cannot be started on this link
  130  interrupted

\b
Examples:
  espsim run --board ttgo-lora32-v1 -- esptool --port {port} flash-id
  espsim run --fault silent-line --stats -- esptool --port {port} flash-id
  espsim run --firmware softrf -- flashcore -p {port} info
  espsim run --link pty -- esptool --port {port} --before no-reset flash-id
  espsim run --link pty --lines --list-port -- esptool flash-id
  espsim run --link rfc2217 -- esptool --port {port} flash-id
  espsim run --link websocket -- node flash.mjs {port}
"""


@click.command(
    "run",
    epilog=EPILOG,
    context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False},
    options_metavar="[OPTIONS] --",
)
@click.option(
    "--board", "-B", default="esp32-devkitc", show_default=True, metavar="NAME", help="Which board; see `espsim boards`."
)
@click.option(
    "--fault",
    "-f",
    "faults",
    multiple=True,
    metavar="FAULT",
    help="A fault's name (see `espsim faults`) or text form; repeatable.",
)
@click.option("--seed", default=0, show_default=True, help="The run's only randomness.")
@click.option("--link", type=click.Choice(LINKS), default="virtual", show_default=True, help="How CMD reaches the board.")
@click.option(
    "--boot",
    type=click.Choice(("flash", "download")),
    help="What the board does at power-on.  [default: flash where the link carries DTR and RTS, else download]",
)
@click.option("--flash", "flash", type=click.Path(path_type=Path), help="File with the flash content at the start.")
@click.option(
    "--firmware",
    default="",
    metavar="PROFILE",
    help="What app is on the flash at the start, for example softrf or boot-loop; a wrong name lists all.  [default: none]",
)
@click.option("--save-flash", type=click.Path(path_type=Path), help="File for the flash content at the end.")
@efuse_option
@save_efuse_option
@click.option("--transcript", type=click.Path(path_type=Path), help="File for all events, one JSON object per line.")
@click.option("--stats", is_flag=True, help="Say at the end how long the run was, what fired, and its hash.")
@click.option("--timeout", type=Seconds(), metavar="SECONDS", help="End CMD after this time.")
@click.option(
    "--pace", type=click.Choice(("real", "max")), default="real", show_default=True, help="Speed of the board in real time."
)
@click.option("--lines", is_flag=True, help="Give the port of --link pty DTR and RTS (Linux; needs a C compiler).")
@click.option("--list-port", is_flag=True, help="Let pyserial list the port of --link pty, with VID:PID, and no other port.")
@listen_option
@line_mode_option
@click.argument("command_line", metavar="CMD...", nargs=-1, required=True, type=click.UNPROCESSED)
def command(
    *,
    board: str,
    faults: tuple[str, ...],
    seed: int,
    link: str,
    boot: str | None,
    flash: Path | None,
    firmware: str,
    save_flash: Path | None,
    efuse: Path | None,
    save_efuse: Path | None,
    transcript: Path | None,
    stats: bool,
    timeout: float | None,
    pace: str,
    lines: bool,
    list_port: bool,
    listen: str | None,
    line_mode: str | None,
    command_line: tuple[str, ...],
) -> int:
    """Run CMD against a virtual board and exit with its exit code.

    The board's port stands in for {port} in CMD, and in ESPSIM_PORT. In virtual time (--link virtual) CMD is a Python program
    in any environment with Python 3.11 or newer: it runs unmodified, but its waiting costs nothing. With --link pty CMD is
    any program, and the board keeps real time.

    A pty has no modem lines: without --lines, CMD cannot reset the board. With it, a small library is made once and preloaded
    into CMD; programs that are linked statically do not load it. With --link rfc2217 and tcp {port} is a URL of pyserial; raw
    TCP has no modem lines either. With --link websocket {port} is an address for the module simulator/web/serial.js, whose
    object has the interface of Web Serial, with DTR and RTS.
    """
    if (lines or list_port) and link != "pty":
        raise click.UsageError("--lines and --list-port are for --link pty; the other links have no use for them")
    way = ways(listen, line_mode, (link,))[0]
    from simulator.cli.outcome import report
    from simulator.flashers.job import Request
    from simulator.scenario import Scenario

    request = Request(
        scenario=Scenario(
            board=board,
            faults=faults,
            seed=seed,
            download=boot == "download" if boot else link == "tcp" or (link == "pty" and not lines),
            flash=os.path.abspath(flash) if flash else "",
            firmware=firmware,
            efuse=os.path.abspath(efuse) if efuse else "",
            keep_events=transcript is not None,
        ),
        save_flash=os.path.abspath(save_flash) if save_flash else "",
        save_efuse=os.path.abspath(save_efuse) if save_efuse else "",
        transcript=os.path.abspath(transcript) if transcript else "",
    )
    if link == "virtual":
        from simulator.flashers.virtual_run import run_virtual

        finished = run_virtual(command_line, request, timeout_s=timeout)
    else:
        from simulator.flashers.real_run import Extras, run_network, run_pty
        from simulator.links.pump import Pace

        if way is not None:
            finished = run_network(command_line, request, way, timeout_s=timeout, pace=Pace(pace))
        else:
            extras = Extras(lines=lines, listed=list_port)
            finished = run_pty(command_line, request, timeout_s=timeout, pace=Pace(pace), extras=extras)
    return report(finished, stats=stats, timeout_s=timeout)
