"""Which chip answers: told by a word of its mask ROM, which every loader can read unless eFuses forbid it.

An unknown word is not guessed at: it stops the session with the value, and with the chip id of GET_SECURITY_INFO where the
chip knows that command. Source: fault catalogue rows 31 and 32.
"""

from __future__ import annotations

from flashcore.chips import MAGIC_REGISTER, ChipSpec, by_image_id, by_magic
from flashcore.errors import ChipMismatchError, DeadlineExceededError, DeviceError
from flashcore.loader.session import Session
from flashcore.protocol import commands
from flashcore.protocol.opcodes import Opcode, RomStatus


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
        value = _magic(session)
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
            f"a chip answers, but it is unknown (it calls itself 0x{value:08x}{_also(session)})",
            hint="name the chip with --chip if you are sure what it is",
            code="connect.unknown_chip",
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


_CHIP_ID = slice(12, 16)
"""Where the answer to GET_SECURITY_INFO names the chip, on chips that know the command and have the field."""


def _magic(session: Session) -> int:
    try:
        return session.ask(commands.read_reg(MAGIC_REGISTER), also=Opcode.SYNC).value
    except DeviceError as refused:
        if refused.status != RomStatus.MALFORMED:
            raise
        # A damaged frame is refused in the same way, but not each time. Source: fault catalogue row 32.
        raise DeviceError(
            f"the loader refuses to read a register (status 0x{refused.status:02x}) each time it is asked, as a chip in Secure "
            "Download Mode does: nothing that is written to it could be verified",
            opcode=refused.opcode,
            status=refused.status,
            hint="flashcore does not write what it cannot verify: use the update that the device's maker provides",
            code="device.secure_download",
            context=refused.context,
        ) from refused


def _also(session: Session) -> str:
    """Return what an unknown chip says of itself in other words, for the message."""
    try:
        info = session.command(commands.get_security_info(), session.policy.sync_s[1]).data
    except (DeadlineExceededError, DeviceError):
        return ""
    if len(info) < _CHIP_ID.stop:
        return ""
    chip_id = int.from_bytes(info[_CHIP_ID], "little")
    known = by_image_id(chip_id)
    return f", and its security information names {known.name if known else f'chip id {chip_id}'}"
