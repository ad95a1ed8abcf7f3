"""For authors of flashers and of ports: checks and boards that a test of theirs can use, with or without pytest."""

from simulator.testing.fired import expect_fired
from simulator.testing.live_link import LiveLink
from simulator.testing.plugged_in import plugged_in
from simulator.testing.plugging import Plugged, plug, unplug
from simulator.testing.port_bench import PortBench
from simulator.testing.port_checks import check_port
from simulator.testing.virtual_board import VirtualBoard

__all__ = ["LiveLink", "Plugged", "PortBench", "VirtualBoard", "check_port", "expect_fired", "plug", "plugged_in", "unplug"]
