"""The stub loaders: which one was uploaded, and what it then does."""

from simulator.chip.stub.catalogue import KNOWN_STUBS, Generation, KnownStub
from simulator.chip.stub.legacy import LegacyStub
from simulator.chip.stub.modern import ModernStub
from simulator.chip.stub.recognise import left_running, program_at

__all__ = ["KNOWN_STUBS", "Generation", "KnownStub", "LegacyStub", "ModernStub", "left_running", "program_at"]
