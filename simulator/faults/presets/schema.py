"""What a fault preset may say: one value per table of its TOML file.

A preset is a whole desk: the board and what is odd about it, what lies on the flash, the ports that the operating system shows,
what goes wrong, the job that the flasher is given, and what counts as having done it. Every table but the first lines may be
left out; then the run's own board, a blank flash, one port and the usual job take its place.
"""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Literal

from simulator.faults.presets.tables import Limits, Table

Count = Annotated[int, Limits(least=1)]
Offset = Annotated[int, Limits(least=0)]
NotNegative = Annotated[float, Limits(least=0)]


class StrapSetup(Table):
    """Levels of strapping pins that some part on the board forces; true is high, ``None`` leaves a pin as it is."""

    mtdi: bool | None = None
    io0: bool | None = None
    io2: bool | None = None
    io4: bool | None = None
    mtdo: bool | None = None
    io5: bool | None = None


class BoardSetup(Table):
    """How the board differs from the run's board.

    Args:
        name: Another board preset altogether; empty for the run's.
        c_nf: Capacitor at EN, in nanofarads.
        wiring: How DTR and RTS reach EN and IO0, see `simulator.board.autoreset.Wiring`.
        control_ms: Time of one change of the modem lines, in milliseconds.
        jitter_ms: Up to so much more, drawn for each change.
        split_lines: Whether the driver makes two transfers of a change of both lines, DTR first.
        crystal_mhz: The crystal's frequency.
        clock_error: How far it is off, as a fraction: 0.02 runs 2 % fast.
        flash: Name of the flash part.
        protected: Whether the block protection bits of the flash are set.
        strap: Strapping pins that something holds.
    """

    name: str = ""
    c_nf: NotNegative | None = None
    wiring: Literal["transistors", "direct", "crossed", "inverted", "none"] | None = None
    control_ms: NotNegative | None = None
    jitter_ms: NotNegative = 0.0
    split_lines: bool = False
    crystal_mhz: Literal[26, 40] | None = None
    clock_error: Annotated[float, Limits(least=-0.1, most=0.1)] = 0.0
    flash: str = ""
    protected: bool = False
    strap: StrapSetup = field(default_factory=StrapSetup)


class StartSetup(Table):
    """What the flasher finds when it comes.

    Args:
        firmware: Profile of the app on the flash; empty for none.
        flash: What is wrong with the flash content: ``half-written`` ends in the middle of the app.
        prior: What an earlier session left running: ``stub``.
        download: Whether the chip already waits for a download.
    """

    firmware: str = ""
    flash: Literal["", "half-written"] = ""
    prior: Literal["", "stub"] = ""
    download: bool = False


ImageKind = Literal["random", "zeros", "app", "bootloader", "partitions", "s3-app", "c900"]
"""What an image holds; ``c900`` compresses to a number of whole blocks and one byte, at which old stubs fail."""
Action = Literal["write", "read", "erase"]
"""What is done with the places of a job's images."""
PortChoice = Literal["named", "auto"]
"""Whether a flasher is told the port's name, or must find it."""
Success = Literal["written", "boots", "runs"]
"""When a job of writing is done: the images are in flash; and the app starts when the board is reset; or runs without that."""


class ImageSetup(Table):
    """An image that is to be written.

    Args:
        offset: Where to.
        size: Bytes; an app or boot loader is as large as it is, and grows to this.
        kind: What it holds.
    """

    offset: Offset
    size: Count = 64 * 1024
    kind: ImageKind = "random"


class JobSetup(Table):
    """What the flasher is asked to do, and when it has done it.

    Args:
        action: Write the images, read their places back, or erase these.
        images: What goes where; empty for the suite's usual image.
        whole: Whether to erase the whole flash, and not the places of the images.
        baud: Rate that the flasher is told to use.
        port: Whether the flasher is told the port's name or must find it.
        sessions: How often the flasher is started, one after the other, in the same world; the last one counts.
        success: What must be true at the end: the images are in flash (``written``), and the board starts the app when it is
            reset (``boots``), or the app is running without that (``runs``).
        untouched: Whether a flasher that refuses must leave the flash as it was.
    """

    action: Action = "write"
    images: tuple[ImageSetup, ...] = ()
    whole: bool = False
    baud: Annotated[int, Limits(least=9600, most=5_000_000)] = 115200
    port: PortChoice = "named"
    sessions: Annotated[int, Limits(least=1, most=8)] = 1
    success: Success = "written"
    untouched: bool = False
