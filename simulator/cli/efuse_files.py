"""What ``run`` and ``serve`` share about the chip's eFuses: the options for files, so that burns outlive one run."""

from __future__ import annotations

from pathlib import Path

import click

efuse_option = click.option(
    "--efuse",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The chip's eFuses at the start, from --save-efuse or espefuse dump --format joint.  [default: as from the factory]",
)
save_efuse_option = click.option(
    "--save-efuse", type=click.Path(path_type=Path), metavar="FILE", help="File for the chip's eFuses at the end."
)
