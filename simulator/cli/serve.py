"""``espsim serve``: boards on serial ports, until interrupted."""

from __future__ import annotations

from contextlib import ExitStack, suppress

import click


@click.command("serve")
@click.option(
    "--board",
    "-B",
    "boards",
    multiple=True,
    default=("esp32-devkitc",),
    show_default=True,
    metavar="NAME",
    help="Which board; repeatable, one port each.",
)
@click.option("--fault", "-f", "faults", multiple=True, metavar="FAULT", help="A fault for every board; repeatable.")
@click.option("--seed", default=0, show_default=True, help="Seed of the first board; each further one gets the next.")
@click.option("--link", type=click.Choice(("pty", "websocket")), default="pty", show_default=True, help="What kind of port.")
@click.option(
    "--boot",
    type=click.Choice(("flash", "download")),
    help="What the board does at power-on.  [default: flash where the link carries DTR and RTS, else download]",
)
@click.option("--pace", type=click.Choice(("real", "max")), default="real", show_default=True, help="Speed of the boards.")
@click.option("--lines", is_flag=True, help="Give the ports DTR and RTS (Linux; needs a C compiler).")
@click.option("--list-port", is_flag=True, help="Let pyserial list the ports, with VID:PID, and no others.")
@click.option(
    "--origin",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    help="Let in pages from ORIGIN at --link websocket; repeatable, * for all.  [default: pages of this machine]",
)
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Stop after this time.")
def command(
    *,
    boards: tuple[str, ...],
    faults: tuple[str, ...],
    seed: int,
    link: str,
    boot: str | None,
    pace: str,
    lines: bool,
    list_port: bool,
    origins: tuple[str, ...],
    timeout: float | None,
) -> int:
    """Offer virtual boards on serial ports; print `port: PATH` for each and serve until interrupted.

    With --lines or --list-port a last line `environment: NAME=VALUE ...` says what a client must be started with.
    With --link websocket PATH is an address for the module simulator/web/serial.js, with a secret that keeps others out.
    """
    if (lines or list_port) and link != "pty":
        raise click.UsageError("--lines and --list-port are for --link pty; the other links carry the lines by themselves")
    if origins and link != "websocket":
        raise click.UsageError("--origin is for --link websocket")
    import shlex
    import signal

    from simulator.clock import monotonic_ns
    from simulator.links import pump
    from simulator.links.lines import LineServer
    from simulator.links.pty import PtyLink
    from simulator.preload import build, environment
    from simulator.scenario import Scenario

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    pump.load_all()
    library = build.library() if lines else None
    with ExitStack() as stack:
        pumps = []
        sockets: dict[str, str] = {}
        shown = []
        download = boot == "download" if boot else link == "pty" and not lines
        for number, board in enumerate(boards):
            world = Scenario(board=board, faults=faults, seed=seed + number, download=download).build()
            spec = world.device.adapter.spec
            port: PtyLink | WebSocketLink
            if link == "websocket":
                from simulator.links.websocket import WebSocketLink

                port = stack.enter_context(WebSocketLink(spec, origins=origins))
            else:
                answering = LineServer(spec) if library is not None else None
                port = stack.enter_context(PtyLink(answering))
                if answering is not None:
                    sockets[port.path] = answering.path
            shown.append(environment.listed(port.path, spec))
            pumps.append(pump.Pump(world.device, port, pace=pump.Pace(pace)))
            click.echo(f"port: {port.path}" + (f"  ({board})" if len(boards) > 1 else ""))
        variables = {
            **(environment.for_lines(library, sockets) if library is not None else {}),
            **(environment.for_list(shown) if list_port else {}),
        }
        if variables:
            click.echo("environment: " + " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items()))
        until = None if timeout is None else monotonic_ns() + round(timeout * 1e9)
        with suppress(KeyboardInterrupt):
            pump.run(pumps, until_ns=until)
    return 0
