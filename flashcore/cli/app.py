"""The command group, and what becomes of errors: one message, one exit code, no traceback."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from flashcore.cli.arguments import PortOptions, port_options
from flashcore.cli.interrupts import one_interruption
from flashcore.cli.overview import COMMANDS, render
from flashcore.errors import CancelledError, ExitCode, FlashcoreError


class Commands(click.Group):
    """Loads a command's code when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the overview."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command called `cmd_name`."""
        if cmd_name not in COMMANDS:
            return None
        module = "flashcore.cli.offline" if cmd_name in ("image", "ports") else "flashcore.cli.online"
        command = getattr(import_module(module), f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one names the nearest."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(COMMANDS)}"
            ctx.fail(f"there is no command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def get_help(self, ctx: click.Context) -> str:
        """Return the overview."""
        return render().rstrip("\n")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="flashcore", prog_name="flashcore")
@port_options
@click.pass_context
def flashcore(ctx: click.Context, /, **options: object) -> None:
    """Flash Espressif chips."""
    ctx.obj = PortOptions(**options)  # type: ignore[arg-type]  # names and types are those of `port_options`


def run(arguments: list[str]) -> int:
    """Run the command line `arguments` and return the exit code; errors go to standard error."""
    with one_interruption():
        return _run(arguments)


def _run(arguments: list[str]) -> int:
    try:
        flashcore.main(arguments, prog_name="flashcore", standalone_mode=False)
    except click.ClickException as error:
        if "--json" in arguments:
            _show_json(FlashcoreError(error.format_message(), code="usage"), ExitCode.USAGE)
        error.show()
        return ExitCode.USAGE
    except click.exceptions.Exit as end:
        return end.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _fail(CancelledError("stopped"), arguments)
    except FlashcoreError as error:
        return _fail(error, arguments)
    return ExitCode.OK


def _fail(error: FlashcoreError, arguments: list[str]) -> int:
    from flashcore.cli.show import JsonView, TextView

    view = JsonView(sys.stdout) if "--json" in arguments else TextView(sys.stdout)
    view.error(error)
    return error.exit_code


def _show_json(error: FlashcoreError, code: ExitCode) -> None:
    import json

    line = {"event": "error", "code": error.code, "message": error.message, "hint": "", "exit_code": int(code)}
    sys.stdout.write(json.dumps(line) + "\n")
