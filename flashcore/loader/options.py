"""What a user may choose about a session, as values."""

from __future__ import annotations

from dataclasses import dataclass, field

from flashcore.chips import ChipSpec
from flashcore.loader.connect import After, Before, BeforeReset
from flashcore.loader.policy import DEFAULT_POLICY, ROM_BAUDRATE, Policy
from flashcore.loader.stub_image import StubImage


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user may choose about a session.

    Args:
        baudrate: Rate for the work after connecting, in baud.
        chip: Expected chip; any supported one if ``None``.
        before: How to bring the chip into download mode.
        after: What to do with it at the end.
        use_stub: Whether to run a stub if an installed esptool provides one.
        stub: This stub, instead of the installed esptool's.
        flash_size: Size in bytes, instead of what the flash chip says.
        boot_check: Whether to listen to what the chip says after the final restart, and to make sure that it left its loader.
        policy: Waits and tries.
    """

    baudrate: int = ROM_BAUDRATE
    chip: ChipSpec | None = None
    before: BeforeReset = Before.DEFAULT_RESET
    after: After = After.HARD_RESET
    use_stub: bool = True
    stub: StubImage | None = None
    flash_size: int | None = None
    boot_check: bool = True
    policy: Policy = field(default=DEFAULT_POLICY)
