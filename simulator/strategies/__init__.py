"""For property-based tests with Hypothesis: faults, plans, boards and images, and a machine that tries a flasher out."""

from simulator.strategies.fault_strategies import faults, plans
from simulator.strategies.machine import FlasherMachine
from simulator.strategies.world_strategies import boards, changed_boards, images, scenarios

__all__ = ["FlasherMachine", "boards", "changed_boards", "faults", "images", "plans", "scenarios"]
