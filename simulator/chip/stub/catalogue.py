"""The stubs that flashers upload, as data: where they lie, where they start, and the digests of their segments.

Digests are of text and data as uploaded, gathered from the JSON files, or the embedded tables, of the releases named.
No code is kept. A release whose stub is not here is told from its neighbours by adding a row."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique


@unique
class Generation(Enum):
    """Which family of programs a stub belongs to."""

    LEGACY = "legacy"
    """The C stub that grew up with esptool."""
    RUST = "rust"
    """The first esp-flasher-stub, opt-in in esptool 4.8 to 4.11."""
    MODERN = "modern"
    """The later esp-flasher-stub, esptool 5's default from 5.3 on."""
    PLACEHOLDER = "placeholder"
    """A program of 96 bytes that two releases ship in place of the new stub; it serves nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One piece of a stub in RAM: address, length in bytes, SHA-256 in hexadecimal."""

    address: int
    length: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownStub:
    """One build of a stub.

    Args:
        generation: Its family.
        releases: Where it is found.
        text: Code segment.
        data: Data segment; of length 0 if there is none.
        entry: Entry point.
        recorded: The vector file that shows its behaviour, or empty.
    """

    generation: Generation
    releases: str
    text: Segment
    data: Segment
    entry: int
    recorded: str = ""


def _stub(
    generation: Generation,
    releases: str,
    *,
    text: tuple[int, int, str],
    data: tuple[int, int, str],
    entry: int,
    recorded: str = "",
) -> KnownStub:
    return KnownStub(
        generation=generation,
        releases=releases,
        text=Segment(address=text[0], length=text[1], sha256=text[2]),
        data=Segment(address=data[0], length=data[1], sha256=data[2]),
        entry=entry,
        recorded=recorded,
    )


KNOWN_STUBS: tuple[KnownStub, ...] = (
    _stub(
        Generation.LEGACY,
        "esptool 3.0",
        text=(0x400B_E000, 3288, "78a52fc1ff2559ad52ccf24be626133a867d2f8b97a57258f4eebc6935eb0966"),
        data=(0x3FFD_EBA8, 4, "7fa7b066725ad20c61a5930a974fcd7a0396127f3bc24f51e1f73f60c48b64df"),
        entry=0x400B_E598,
    ),
    _stub(
        Generation.LEGACY,
        "esptool 3.1",
        text=(0x400B_E000, 3432, "06d9b7bd8272c177bc6f481f2e24841f87715fba02b6fd714210d52e3340b8d6"),
        data=(0x3FFD_EBA8, 4, "7fa7b066725ad20c61a5930a974fcd7a0396127f3bc24f51e1f73f60c48b64df"),
        entry=0x400B_E5AC,
    ),
    _stub(
        Generation.LEGACY,
        "esptool 3.2, esptool 3.3, esptool 3.3.3, esptool 4.0.1, esptool 4.2.1, esptool 4.3",
        text=(0x400B_E000, 3432, "714add0aec6b01afab370e35e194c0cf0cd788ceb20d136e250fbcb17e205713"),
        data=(0x3FFD_EBA8, 4, "7fa7b066725ad20c61a5930a974fcd7a0396127f3bc24f51e1f73f60c48b64df"),
        entry=0x400B_E5AC,
        recorded="stub_e3",
    ),
    _stub(
        Generation.LEGACY,
        "esptool 4.5.1",
        text=(0x400B_E000, 3416, "f9ee6d32910742396702ba75f8b6c5c260c0ce529febb1c06557f60c050ad405"),
        data=(0x3FFD_EBA8, 156, "1ad2fbe53503541ea0af3efe0bf0c7970e2d565263151ad3b8d97fbf4664c09f"),
        entry=0x400B_E5D8,
    ),
    _stub(
        Generation.LEGACY,
        "esptool 4.6.2",
        text=(0x400B_E000, 3432, "be454e2ca573cbc2a32973f6c7090f7abb0e80e8681e69d645b8593f83581397"),
        data=(0x3FFD_EBA8, 156, "638b57cf535b116021e9a5a3741eef42480e7784f609939fd3f592a0c836c49f"),
        entry=0x400B_E5D8,
    ),
    _stub(
        Generation.LEGACY,
        "esptool 4.7.0, esptool 4.8.1, esptool-js 0.5.4, esptool-js 0.5.7, esptool-js 0.6.0, esptool-js 0.6.1",
        text=(0x400B_E000, 3532, "c3d3ddfa74e6b41710863f07a2d0496bb6f758a2011bf1d9cdd5b280479db6b9"),
        data=(0x3FFD_EBA8, 156, "d28a40ec32f40afd656ddbc1a89b0cc042203548dfa255617b55067d80350f2f"),
        entry=0x400B_E5EC,
        recorded="stub_e4_1",
    ),
    _stub(
        Generation.LEGACY,
        "esptool 4.9.0, esptool 4.10.0, esptool 5.0.2, esptool 5.1.0",
        text=(0x400B_E000, 3464, "cb3d09de6574cd008ea3e6a366bb1f26218b8735d4fbf80fb264fc92aad69d5c"),
        data=(0x3FFD_EBA8, 156, "c9bdf2db9b6923c33cf3616d36b411223da6d2fd3381256a483e8239848e010e"),
        entry=0x400B_E5E0,
    ),
    _stub(
        Generation.LEGACY,
        "esptool 4.11.0, 4.12.0, 5.2.0, 5.3.0, 5.3.1, 5.4.0, 5.5.0, 5.6.0",
        text=(0x400B_E000, 3540, "b2dff40d626d2e83234ba17f79ab968cf5505cf989d15f9954ed477777eeddad"),
        data=(0x3FFD_EBAC, 156, "67e2e29deda649edc6921f9c7149f2c18f0497b94828553ec743873aea219c73"),
        entry=0x400B_E658,
        recorded="stub_e5_1",
    ),
    _stub(
        Generation.RUST,
        "esptool 4.8.1, esptool 4.9.0, esptool 4.10.0, esptool 4.11.0",
        text=(0x4008_0000, 12884, "598f3489598eee28038646f1e5d84e3836f99785e3cb04206754e41a6c1d11db"),
        data=(0x3FFB_0000, 468, "5103a297cc43ea2c3b95c7705086b85963fdff02d4b4c2eb8fbde0a5dad5700b"),
        entry=0x4008_22B4,
    ),
    _stub(
        Generation.MODERN,
        "esptool 4.12.0",
        text=(0x400A_8000, 7280, "a26cb834d49aac7b6ec68463a613e432738ba5485ef105ad10187e9243be634e"),
        data=(0x3FFD_ED60, 200, "2d3b2fbe2e7c114f2eda3ad059e0a1700b1f3a9c1c736820e24973187ad75fb0"),
        entry=0x400A_800C,
    ),
    _stub(
        Generation.MODERN,
        "esptool 5.2.0",
        text=(0x400A_8000, 6884, "2215dfaddde601469196344e78246d04d1828f2a478087248ad8800151d97696"),
        data=(0x3FFD_ED60, 92, "de48278a46d94a22558e912f39617938fce4c860a3f98bc5554e78b84dba0931"),
        entry=0x400A_800C,
    ),
    _stub(
        Generation.MODERN,
        "esptool 5.3.0, esptool 5.3.1",
        text=(0x400A_8000, 6140, "59c217e201a5910c15a0f202f2852c8ea44b7406bbf227e2cd6e88fd6a2a75af"),
        data=(0x3FFD_ED68, 212, "e5f63ff41ce28e7239693d72ba524216fa47ce8af9d584653d58919d078f9f74"),
        entry=0x400A_9074,
    ),
    _stub(
        Generation.MODERN,
        "esptool 5.4.0, esptool 5.5.0, esptool 5.6.0, esptool-js 0.7.0",
        text=(0x400A_8000, 6456, "fc5fb606754d152b9b9e4f20c72fdad83d1d99b1b139744bc53cc160b1edd570"),
        data=(0x3FFD_ED6C, 212, "580837cfef9d57b223a4d30cf634dad72f1fdcc19b499ca62b514b487a0c3438"),
        entry=0x400A_902C,
        recorded="stub_e5_2",
    ),
    _stub(
        Generation.PLACEHOLDER,
        "esptool 5.0.2, esptool 5.1.0",
        text=(0x400B_E000, 96, "a141cc2354cf0f2c76c919f8a459377d70036128fc60514488803a38c00c2f73"),
        data=(0, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        entry=0x400B_E000,
    ),
)
"""All stubs that are recognised."""
