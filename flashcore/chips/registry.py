"""Finding a chip by name, by the magic word of its mask ROM, or by the chip id of an image."""

from __future__ import annotations

from flashcore.chips.esp32 import ESP32
from flashcore.chips.known import KNOWN_CHIPS
from flashcore.chips.spec import ChipSpec, KnownChip
from flashcore.errors import UsageError

CHIPS: tuple[ChipSpec, ...] = (ESP32,)
"""The chips that can be flashed."""


def chip(name: str) -> ChipSpec:
    """Return the chip called `name`; case, blanks, dashes and underscores do not matter.

    Raises:
        UsageError: No chip has that name (the nearest one is named), or flashcore cannot flash that chip.
    """
    wanted = _plain(name)
    for spec in CHIPS:
        if _plain(spec.name) == wanted:
            return spec
    names = ", ".join(spec.name for spec in CHIPS)
    known = {_plain(entry.name): entry.name for entry in KNOWN_CHIPS}
    if wanted in known:
        raise UsageError(
            f"{known[wanted]} is not supported; expected one of: {names}",
            hint="use esptool for this chip",
            code="usage.unsupported_chip",
            context={"chip": known[wanted]},
        )
    import difflib

    all_names = {_plain(spec.name): spec.name for spec in CHIPS} | known
    nearest = difflib.get_close_matches(wanted, all_names, n=1, cutoff=0.0)
    raise UsageError(
        f"there is no chip {name!r}; expected one of: {names}",
        hint=f"did you mean {all_names[nearest[0]]}?" if nearest else "",
        code="usage.unknown_chip",
        context={"chip": name},
    )


def by_magic(value: int) -> KnownChip | None:
    """Return the chip whose mask ROM holds `value` at `MAGIC_REGISTER`, a `ChipSpec` if it can be flashed."""
    return next((entry for entry in (*CHIPS, *KNOWN_CHIPS) if value in entry.magic_values), None)


def by_image_id(image_chip_id: int) -> KnownChip | None:
    """Return the chip whose images carry `image_chip_id`, a `ChipSpec` if it can be flashed."""
    return next((entry for entry in (*CHIPS, *KNOWN_CHIPS) if entry.image_chip_id == image_chip_id), None)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
