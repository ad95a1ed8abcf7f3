"""What ``run`` and ``serve`` share about links: the options of those over the network."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    # Loading the links takes longer than showing a help text should.
    from simulator.links.network import Way

NETWORK = ("rfc2217", "tcp", "websocket")
"""Links over the network."""

listen_option = click.option(
    "--listen",
    metavar="HOST[:PORT]",
    help="Where the network links listen; each further port gets the next number.  [default: 127.0.0.1, any port]",
)
line_mode_option = click.option(
    "--line-mode",
    type=click.Choice(("replay", "literal")),
    help="What --link rfc2217 does with DTR and RTS: a whole reset at its first sign, or each change as it comes."
    "  [default: replay]",
)


def ways(listen: str | None, line_mode: str | None, links: Sequence[str], origins: Sequence[str] = ()) -> list[Way | None]:
    """Return for each of `links` how to open it, ``None`` for one that is not over the network.

    Raises:
        click.UsageError: An option does not fit the links, or cannot be read.
    """
    check_fits(links, listen is not None, "--listen", NETWORK)
    check_fits(links, line_mode is not None, "--line-mode", ("rfc2217",))
    check_fits(links, bool(origins), "--origin", ("websocket",))
    if not any(link in NETWORK for link in links):
        return [None] * len(links)
    from simulator.links.line_modes import LineMode
    from simulator.links.network import Network, Way
    from simulator.links.seat import Address

    try:
        address = Address() if listen is None else Address.parse(listen)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--listen") from error
    mode = LineMode(line_mode) if line_mode else LineMode.REPLAY
    result: list[Way | None] = []
    opened = 0
    for link in links:
        if link in NETWORK:
            result.append(Way(network=Network(link), address=address.behind(opened), lines=mode, origins=tuple(origins)))
            opened += 1
        else:
            result.append(None)
    return result


def check_fits(links: Collection[str], given: bool, option: str, wanted: Sequence[str]) -> None:
    """Raise an error if an option is given that means nothing for any of `links`."""
    if given and not any(link in wanted for link in links):
        raise click.UsageError(f"{option} is for {' and '.join(f'--link {link}' for link in wanted)}")
