"""Which chip answers: told by a word of its mask ROM, which every loader can read."""

from __future__ import annotations

from flashcore.chips import MAGIC_REGISTER, ChipSpec, by_magic
from flashcore.errors import ChipMismatchError
from flashcore.loader.session import Session
from flashcore.protocol import commands


def identify(session: Session, expected: ChipSpec | None) -> ChipSpec:
    """Return the chip whose loader answers.

    Args:
        session: A session with a loader.
        expected: The chip that the user named; any supported one if ``None``.

    Raises:
        ChipMismatchError: It is another chip, an unknown one, or one that cannot be flashed.
        DeadlineExceededError: No answer comes.
        ChipResetError: The chip restarted.
    """
    found = None
    value = 0
    for _ in range(2):
        value = session.ask(commands.read_reg(MAGIC_REGISTER)).value
        found = by_magic(value)
        if found is not None:
            break
    if found is None:
        if expected is not None:
            session.found(
                "chip.unknown_magic", f"the chip calls itself 0x{value:08x}, which is unknown; taken for {expected.name}"
            )
            return expected
        raise ChipMismatchError(
            f"a chip answers, but it is unknown (it calls itself 0x{value:08x})",
            hint="name the chip with --chip if you are sure what it is",
            context={"magic": value},
        )
    if expected is not None and found.name != expected.name:
        raise ChipMismatchError(
            f"this is an {found.name}, expected an {expected.name}",
            hint="choose another board, or another --chip",
            context={"chip": found.name, "expected": expected.name},
        )
    if not isinstance(found, ChipSpec):
        raise ChipMismatchError(
            f"this is an {found.name}, which flashcore does not support yet",
            hint="use esptool for this chip",
            context={"chip": found.name},
        )
    return found
