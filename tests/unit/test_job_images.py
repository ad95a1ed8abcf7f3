"""Images for jobs: each kind holds what its name says, whatever its size."""

from __future__ import annotations

import zlib

import pytest

from flashcore.chips import chip
from flashcore.errors import ScenarioError, WrongChipError
from flashcore.image import Region, check
from simulator.flashers.images import BLOCK, LEVEL, Image

ESP32 = chip("esp32")
FLASH = 4 << 20


def test_an_image_depends_on_its_seed_and_a_shorter_random_one_is_its_beginning() -> None:
    whole = Image(offset=0, size=10_001, seed=1).data()
    assert len(whole) == 10_001
    assert Image(offset=4096, size=3000, seed=1).data() == whole[:3000]
    assert Image(offset=0, size=10_001, seed=2).data() != whole


@pytest.mark.parametrize(("kind", "offset"), [("app", 0x10000), ("bootloader", 0x1000), ("partitions", 0x8000)])
@pytest.mark.parametrize("size", [1, 28 * 1024])
def test_what_is_to_boot_passes_every_check_at_its_place(kind: str, offset: int, size: int) -> None:
    image = Image(offset=offset, size=size, kind=kind)  # type: ignore[arg-type]
    warnings = check([Region(offset=offset, data=image.data())], ESP32, FLASH)
    assert [warning for warning in warnings if "damaged" in warning.message] == []
    assert kind == "partitions" or size < len(image.data()) or size - 64 < len(image.data()) <= size


def test_an_app_grows_to_its_size_and_differs_by_seed() -> None:
    one, other = (Image(offset=0x10000, size=200_000, seed=seed, kind="app").data() for seed in (1, 2))
    assert 200_000 - 64 < len(one) <= 200_000
    assert one != other


def test_an_app_for_another_chip_is_refused() -> None:
    image = Image(offset=0x10000, size=1, kind="s3-app")
    with pytest.raises(WrongChipError):
        check([Region(offset=image.offset, data=image.data())], ESP32, FLASH)


@pytest.mark.parametrize("size", [64 * 1024, 100_000, 256 * 1024])
def test_an_awkward_image_compresses_to_whole_blocks_and_one_byte(size: int) -> None:
    data = Image(offset=0, size=size, kind="c900").data()
    packed = len(zlib.compress(data, LEVEL))
    assert len(data) == size
    assert packed > BLOCK
    assert packed % BLOCK == 1


def test_an_awkward_image_that_cannot_be_is_one_clear_error() -> None:
    with pytest.raises(ScenarioError, match="no image of 4096 bytes"):
        Image(offset=0, size=4096, kind="c900").data()
