"""What a test wishes for: the fields of the marker ``espsim``, checked before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType

from flashcore.errors import FlashcoreError, ScenarioError
from simulator.faults.nearest import nearest
from simulator.scenario import Scenario

VIRTUAL = "virtual"
"""The link that is a port of pyserial in the test's own process, in virtual time."""

LINKS = ("rfc2217", "tcp", "pty", VIRTUAL)
"""What a port's URL may lead to."""

PACES = ("real", "max")
"""Whether a board on a link keeps real time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The world of one test.

    Args:
        board: Name of the board preset.
        fault: Names of fault presets, or faults in text form.
        seed: The world's only randomness.
        firmware: Profile of the app that the board runs; empty for none.
        flash: File with the content of the flash; empty for a blank one.
        download: Whether the chip waits for a flasher from the start; ``None`` for: where the link has no modem lines.
        link: One of `LINKS`.
        pace: One of `PACES`.
        must_fire: Whether the test fails if a fault of it never struck.
    """

    board: str = "esp32-devkitc"
    fault: tuple[str, ...] = ()
    seed: int = 0
    firmware: str = ""
    flash: str = ""
    download: bool | None = None
    link: str = "rfc2217"
    pace: str = "real"
    must_fire: bool = True

    def scenario(self, *, on_link: bool) -> Scenario:
        """Return the scenario.

        Args:
            on_link: Whether the board is reached through `link`.
        """
        by_hand = on_link and self.link in ("tcp", "pty")
        return Scenario(
            board=self.board,
            faults=self.fault,
            seed=self.seed,
            download=by_hand if self.download is None else self.download,
            flash=self.flash,
            firmware=self.firmware,
        )


FIELDS = tuple(field.name for field in fields(Wish))
"""What the marker takes."""

_KINDS: Mapping[str, tuple[tuple[type, ...], str]] = MappingProxyType(
    {
        "seed": ((int,), "a whole number"),
        "download": ((bool,), "True or False"),
        "must_fire": ((bool,), "True or False"),
        "flash": ((str, Path), "a path"),
    }
)
_TEXT = ((str,), "a text")
_CHOICES = {"link": LINKS, "pace": PACES}


def wish(given: Iterable[Mapping[str, object]], folder: Path) -> Wish:
    """Return what a test wishes for.

    Args:
        given: Fields from the least to the most important.
        folder: What a relative path of ``flash`` is relative to.

    Raises:
        WishError: A field is unknown or wrong.
    """
    values: dict[str, object] = {}
    for some in given:
        values |= {name: _checked(name, value, folder) for name, value in some.items()}
    result = Wish(**values)  # type: ignore[arg-type]
    _build_what_can_be_wrong(result)
    return result


class WishError(ScenarioError):
    """A field of the marker is wrong.

    Args:
        field: Which; empty for the marker as a whole.
        message: What is wrong with it.
        hint: What to do.
    """

    def __init__(self, field: str, message: str, *, hint: str = "") -> None:
        place = f"espsim({field}=...)" if field else "espsim"
        super().__init__(f"{place}: {message}", hint=hint, context={"field": field})


def _checked(name: str, value: object, folder: Path) -> object:
    if name not in FIELDS:
        raise WishError(name, f"there is no field {name!r}", hint=nearest(name, list(FIELDS)))
    if name == "fault":
        return _faults(value)
    kinds, expected = _KINDS.get(name, _TEXT)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise WishError(name, f"must be {expected}, not {value!r}")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise WishError(name, f"there is no {name} {value!r}", hint=nearest(str(value), list(_CHOICES[name])))
    if name == "flash" and value:
        return str(folder / str(value))
    return value


def _faults(value: object) -> tuple[str, ...]:
    several = (value,) if isinstance(value, str) else value
    if not isinstance(several, Sequence) or not all(isinstance(item, str) for item in several):
        raise WishError("fault", f"must be the name or text of a fault, or a list of such, not {value!r}")
    return tuple(several)


def _build_what_can_be_wrong(found: Wish) -> None:
    """Check one field after the other, so that the error can name it."""
    _check("board", Scenario(board=found.board))
    for fault in found.fault:
        _check("fault", Scenario(faults=(fault,)))
    _check("firmware", Scenario(firmware=found.firmware))
    _check("flash", Scenario(flash=found.flash))
    _check("flash", found.scenario(on_link=False))


def _check(field: str, scenario: Scenario) -> None:
    try:
        scenario.check()
    except FlashcoreError as error:
        raise WishError(field, error.message, hint=error.hint) from error
