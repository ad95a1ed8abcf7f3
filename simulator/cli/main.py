"""The ``espsim`` command: errors and exit codes of the whole."""

from __future__ import annotations

import sys

import click

from flashcore.errors import FlashcoreError
from simulator.cli.lazy import LazyGroup

FAILED = 70
INTERRUPTED = 130


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="flashcore", prog_name="espsim")
def espsim() -> None:
    """A virtual ESP32 on a virtual board behind a virtual serial port, for testing whatever flashes it."""


def status_of(arguments: list[str]) -> int:
    """Run the command line `arguments` and return the exit code; errors go to standard error.

    Raises:
        OSError: This computer has no more room, descriptors or processes, or nobody reads the output any more.
    """
    try:
        status = espsim.main(arguments, prog_name="espsim", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        print("espsim: interrupted", file=sys.stderr)
        return INTERRUPTED
    except FlashcoreError as error:
        print(f"espsim: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return _exit_code(error)
    except OSError:
        raise  # the way in says what this computer lacks
    except Exception:  # noqa: BLE001 - the last line of defence: a failure of ours must not pass for CMD's
        import traceback

        traceback.print_exc()
        return FAILED
    return status if isinstance(status, int) else 0


def _exit_code(error: FlashcoreError) -> int:
    from flashcore.errors import ScenarioError
    from simulator.flashers.child import ExitStatus
    from simulator.flashers.interpreter import CommandError

    match error:
        case CommandError():
            return ExitStatus.CANNOT_START
        case ScenarioError():
            return ExitStatus.USAGE
        case _:
            return ExitStatus.FAILED
