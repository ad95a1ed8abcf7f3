"""Why a loader did not do what it was asked: errors for refusals and for answers that never came."""

from __future__ import annotations

from flashcore.errors import DeadlineExceededError, DeviceError
from flashcore.protocol.exchange import Dialect
from flashcore.protocol.opcodes import STATUS_TEXT, RomStatus, StubStatus, name_of

_HEARD = 256
"""How much of what was heard an error keeps."""

_DAMAGE_CODES = frozenset(
    {
        RomStatus.MALFORMED,
        RomStatus.BAD_CHECKSUM,
        StubStatus.BAD_LENGTH,
        StubStatus.BAD_CHECKSUM,
        StubStatus.BAD_COMMAND,
        StubStatus.NOT_IMPLEMENTED,
        1,
    }
)
"""Refusals that a frame damaged on its way can cause; 1 is the legacy stub's word for a wrong length (oracle fact 52)."""


def may_be_damage(status: int) -> bool:
    """Tell whether `status` can be the answer to a frame that was damaged on its way, or a damaged answer itself."""
    return status in _DAMAGE_CODES or status not in STATUS_TEXT


def timeout(opcode: int, came: int, heard: bytes) -> DeadlineExceededError:
    """Return the error for a command without an answer.

    Args:
        opcode: The command.
        came: How many bytes came all the same.
        heard: The last of them.
    """
    instead = f"{came} bytes came that are no answer to it" if came else "not a byte came"
    return DeadlineExceededError(
        f"no answer to {name_of(opcode)}: {instead}", heard=heard[-_HEARD:], context={"opcode": opcode, "bytes": came}
    )


def refused(opcode: int, status: int, raw: bytes, dialect: Dialect) -> DeviceError:
    """Return the error for a command that was refused with `status`, of the status bytes `raw`."""
    reason = STATUS_TEXT.get(status, "no known reason")
    return DeviceError(
        f"{name_of(opcode)} was refused: {reason} (status {raw.hex()})",
        opcode=opcode,
        status=status,
        context={"loader": dialect.value},
    )
