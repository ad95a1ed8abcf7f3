"""What can go wrong while flashing, as one tree of exceptions.

Every error has a stable dotted ``code`` for programs, a ``message`` that says what happened and what was expected, a ``hint``
that says what to do next, and a ``context`` of plain values for reports. The classes decide the exit code of the command line
(see `exit_code`), the codes decide what a scorecard calls the diagnosis.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, unique

ContextValue = str | int | float | bool | None
"""What a context may hold: plain values, so that it can be printed as JSON."""


@unique
class ExitCode(IntEnum):
    """Exit codes of the ``flashcore`` command."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    PORT = 3
    CONNECT = 4
    TRANSFER = 5
    VERIFY = 6
    IMAGE = 7
    DEVICE_REFUSES = 8
    CANCELLED = 130


class FlashcoreError(Exception):
    """Base of every error that flashcore raises on purpose.

    Args:
        message: What happened, and what was expected.
        hint: What the user can do next; empty where nothing helps.
        code: A more precise stable code than the class's own.
        context: Plain values for reports, for example ``{"address": 0x10000}``.
    """

    code = "flashcore"
    exit_code = ExitCode.UNEXPECTED

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        code: str | None = None,
        context: Mapping[str, ContextValue] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.context: dict[str, ContextValue] = dict(context or {})
        if code is not None:
            self.code = code


class UsageError(FlashcoreError):
    """The call itself makes no sense: an odd address, an unknown chip name."""

    code = "usage"
    exit_code = ExitCode.USAGE


class PortError(FlashcoreError):
    """The serial port cannot be used."""

    code = "port"
    exit_code = ExitCode.PORT


class PortNotFoundError(PortError):
    """No port has that name."""

    code = "port.not_found"


class PortBusyError(PortError):
    """Another program holds the port."""

    code = "port.busy"


class PortDeniedError(PortError):
    """The operating system refuses access to the port."""

    code = "port.denied"


class PortLostError(PortError):
    """The port vanished while it was open."""

    code = "port.lost"


class LinesUnsupportedError(PortError):
    """The link has no modem lines, so it cannot reset the chip."""

    code = "port.lines_unsupported"


class ProtocolError(FlashcoreError):
    """Bytes on the wire break the protocol."""

    code = "protocol"
    exit_code = ExitCode.TRANSFER


class RemoteProtocolError(ProtocolError):
    """The other side sent something that the protocol does not allow."""

    code = "protocol.remote"


class BadPacketError(RemoteProtocolError):
    """A frame holds no valid packet."""

    code = "protocol.bad_packet"


class DeviceError(FlashcoreError):
    """The loader understood a command and refused it.

    Attributes:
        opcode: The command that was refused.
        status: The error code: second status byte of the ROM, first of a stub.
    """

    code = "device.refused"
    exit_code = ExitCode.DEVICE_REFUSES

    def __init__(
        self,
        message: str,
        *,
        opcode: int,
        status: int,
        hint: str = "",
        code: str | None = None,
        context: Mapping[str, ContextValue] | None = None,
    ) -> None:
        super().__init__(message, hint=hint, code=code, context={"opcode": opcode, "status": status, **(context or {})})
        self.opcode = opcode
        self.status = status


class DeadlineExceededError(FlashcoreError, TimeoutError):
    """An answer did not come in time.

    Attributes:
        heard: What did come in meanwhile, unparsed, at most a few hundred bytes.
    """

    code = "transfer.timeout"
    exit_code = ExitCode.TRANSFER

    def __init__(
        self,
        message: str,
        *,
        heard: bytes = b"",
        hint: str = "",
        code: str | None = None,
        context: Mapping[str, ContextValue] | None = None,
    ) -> None:
        super().__init__(message, hint=hint, code=code, context=context)
        self.heard = heard


class TransferError(FlashcoreError):
    """A write or read failed for good, after everything that could be tried."""

    code = "transfer.failed"
    exit_code = ExitCode.TRANSFER


class ChipResetError(TransferError):
    """The chip restarted in the middle of a session: its boot text came, or its ROM answers in place of the stub."""

    code = "transfer.chip_reset"


class ConnectError(FlashcoreError):
    """No loader could be reached behind the port."""

    code = "connect"
    exit_code = ExitCode.CONNECT


class NoAnswerError(ConnectError):
    """Not one byte came back."""

    code = "connect.no_answer"


class WrongBootModeError(ConnectError):
    """The chip runs its firmware: the reset did not lead to download mode."""

    code = "connect.wrong_boot_mode"


class NotAnEspDeviceError(ConnectError):
    """Something answers, but it is no Espressif loader."""

    code = "connect.not_an_esp_device"


class BridgeEchoError(ConnectError):
    """The port sends back what is sent to it."""

    code = "connect.echo"


class ChipMismatchError(ConnectError):
    """Another chip answers than the one asked for."""

    code = "connect.chip_mismatch"


class VerifyError(FlashcoreError):
    """The flash does not hold what was written to it.

    Args:
        offset: Start of the region in flash.
        size: Its length in bytes.
        expected: MD5 of the image, hexadecimal.
        actual: MD5 that the device computed, hexadecimal.
    """

    code = "verify.mismatch"
    exit_code = ExitCode.VERIFY

    def __init__(
        self,
        message: str,
        *,
        offset: int,
        size: int,
        expected: str,
        actual: str,
        hint: str = "",
        code: str | None = None,
    ) -> None:
        context: dict[str, ContextValue] = {"offset": offset, "size": size, "expected": expected, "actual": actual}
        super().__init__(message, hint=hint, code=code, context=context)


class ImageError(FlashcoreError):
    """The file to be flashed is wrong."""

    code = "image"
    exit_code = ExitCode.IMAGE


class BadHeaderError(ImageError):
    """The file is no valid firmware image."""

    code = "image.bad_header"


class WrongChipError(ImageError):
    """The image was built for another chip."""

    code = "image.wrong_chip"


class DoesNotFitError(ImageError):
    """The image reaches beyond the end of the flash."""

    code = "image.does_not_fit"


class OverlapError(ImageError):
    """Two images want the same flash sectors."""

    code = "image.overlap"


class WrongOffsetError(ImageError):
    """The image will not work at the address given for it."""

    code = "image.wrong_offset"


class CancelledError(FlashcoreError):
    """The user stopped the work."""

    code = "cancelled"
    exit_code = ExitCode.CANCELLED


class SimulatorError(FlashcoreError):
    """Base of the errors of the simulator itself."""

    code = "simulator"


class ScenarioError(SimulatorError):
    """A board, a scenario or an option of the simulator is wrong."""

    code = "simulator.scenario"
    exit_code = ExitCode.USAGE


class PlanError(ScenarioError):
    """A fault cannot be read or does not fit the scenario."""

    code = "simulator.plan"
