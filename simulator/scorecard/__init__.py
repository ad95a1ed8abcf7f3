"""What a campaign came to, for people and programs: one card, and the forms in which it is written."""

from simulator.scorecard.card import Card, Entry
from simulator.scorecard.collect import collect

__all__ = ["Card", "Entry", "collect"]
