"""A command whose help page rich-click draws, loaded only when the page is asked for."""

from __future__ import annotations

import click


class Command(click.Command):
    """A command that starts fast and has a fine help page."""

    def get_help(self, ctx: click.Context) -> str:
        """Return the help page."""
        import rich_click

        twin = rich_click.RichCommand(
            name=self.name, params=self.params, help=self.help, epilog=self.epilog, context_settings=self.context_settings
        )
        with rich_click.RichContext(twin, info_name=ctx.info_name, parent=ctx.parent) as rich:
            return twin.get_help(rich).rstrip("\n")
