"""Talking to a chip's loaders: reset, connect, stub, write, read, erase, verify, and coming back from what goes wrong."""

from flashcore.loader.chip_info import ChipInfo
from flashcore.loader.connect import After, Before, parse_after, parse_before
from flashcore.loader.flasher import Flasher
from flashcore.loader.options import Options
from flashcore.loader.policy import DEFAULT_POLICY, Policy
from flashcore.loader.progress import Event, Finding, OnEvent, to_json
from flashcore.loader.reset import Sequence, parse_custom
from flashcore.loader.session import Session
from flashcore.loader.stub_image import StubImage
from flashcore.loader.target import Target

__all__ = [
    "DEFAULT_POLICY",
    "After",
    "Before",
    "ChipInfo",
    "Event",
    "Finding",
    "Flasher",
    "OnEvent",
    "Options",
    "Policy",
    "Sequence",
    "Session",
    "StubImage",
    "Target",
    "parse_after",
    "parse_before",
    "parse_custom",
    "to_json",
]
