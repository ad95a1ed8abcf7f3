"""What a chip says about itself: package, revision, features, MAC address, crystal, flash."""

from __future__ import annotations

from dataclasses import dataclass

from flashcore.chips import ChipSpec
from flashcore.chips.esp32 import Crystal, Silicon, identify
from flashcore.loader import security
from flashcore.loader.base import Loader
from flashcore.loader.security import Security
from flashcore.loader.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipInfo:
    """What a chip says about itself.

    Args:
        chip: The kind of chip.
        silicon: Package, revision, features and MAC address.
        security: What its eFuses forbid.
        crystal: Its frequency; ``None`` if a stub that was running already hides it.
        jedec_id: Id of the flash chip, 0xMMTTCC.
        flash_size: Its size in bytes.
        loader: Who answered: ``ROM loader`` or ``stub``.
    """

    chip: ChipSpec
    silicon: Silicon
    security: Security
    crystal: Crystal | None
    jedec_id: int
    flash_size: int
    loader: str

    def to_json(self) -> dict[str, object]:
        """Return plain values for a report."""
        return {
            "chip": self.chip.name,
            **self.silicon.to_json(),
            "flash_encryption": self.security.encrypted,
            "secure_boot": self.security.secure_boot,
            "crystal_mhz": self.crystal.nominal if self.crystal else None,
            "flash_id": f"0x{self.jedec_id:06x}",
            "flash_size": self.flash_size,
            "loader": self.loader,
        }


def ask(target: Target) -> ChipInfo:
    """Read what the chip says about itself.

    Raises:
        TransferError: It does not answer, or its flash chip does not.
    """
    chip = target.chip
    size = target.flash_size()
    found = target.insist_in_step(_registers)
    for _ in range(target.policy.ask_tries):
        # The value in an answer to READ_REG has no checksum, so each register is believed when it says the same twice.
        before, found = found, target.insist_in_step(_registers)
        if found == before:
            break
    *words, apb_date = found
    silicon = identify(words, apb_date)
    return ChipInfo(
        chip=chip,
        silicon=silicon,
        security=security.of(words[security.CRYPT_WORD], words[security.DONE_WORD]),
        crystal=target.insist(lambda _: target.crystal()),
        jedec_id=target.jedec_id(),
        flash_size=size,
        loader=target.loader.name,
    )


def _registers(loader: Loader) -> list[int]:
    """Return the eFuse words and the APB's date."""
    chip = loader.chip
    efuses = (chip.efuse_base + 4 * index for index in range(chip.efuse_words))
    return [loader.read_reg(address) for address in (*efuses, chip.apb_date_register)]
