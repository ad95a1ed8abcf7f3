"""Commands that need no chip: ``image`` and ``ports``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from flashcore.cli.arguments import PortOptions
from flashcore.cli.help import Command
from flashcore.cli.show import JsonView, TextView, View


def _view(options: PortOptions, json: bool) -> View:
    return JsonView(sys.stdout) if json or options.json else TextView(sys.stdout)


@click.command("image", cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", is_flag=True, help="One JSON object.")
@click.pass_obj
def image_command(options: PortOptions, file: Path, json: bool) -> None:
    """Describe the firmware image or partition table in FILE, and say what is wrong with it."""
    from flashcore.errors import BadHeaderError
    from flashcore.image import describe_bytes, load_regions

    view = _view(options, json)
    (region,) = load_regions([(0, file)])
    found = describe_bytes(region.data, region.name)
    lines = [found.title]
    width = max((len(label) for label, _ in found.fields), default=0)
    lines += [f"  {label:<{width}}  {value}" for label, value in found.fields]
    if found.rows:
        table = [found.columns, *found.rows]
        widths = [max(len(row[column]) for row in table) for column in range(len(found.columns))]
        lines += ["  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in table]
    view.result("image", found.to_json(), [line.rstrip() for line in lines])
    if found.problems:
        raise BadHeaderError(f"{file}: " + "; ".join(found.problems), hint="build or download the file again")
    view.finish(())


@click.command("ports", cls=Command)
@click.option("--json", is_flag=True, help="One JSON object.")
@click.pass_obj
def ports_command(options: PortOptions, json: bool) -> None:
    """List the serial ports, those that look like an Espressif board first, and such boards without a port."""
    from flashcore.approach.absence import without_port
    from flashcore.approach.candidates import candidates, why_not
    from flashcore.ports import SystemHost

    view = _view(options, json)
    host = SystemHost()
    ports, bare = host.ports(), without_port(host.usb_devices())
    likely = {name for one in candidates(ports) for name in one.names}
    lines = [
        f"{port.device:<24} {port.usb_id:<10} {port.bridge or port.description}".rstrip()
        + ("" if port.device in likely else f"  ({why_not(port)})")
        for port in ports
    ] or ["no serial ports"]
    lines += [f"{'(no port)':<24} {device.usb_id:<10} {device.bridge}  (its driver is missing)" for device in bare]
    view.result(
        "ports", {"ports": [port.to_json() for port in ports], "without_port": [device.to_json() for device in bare]}, lines
    )
    view.finish(())
