"""The way to a board: which port it is, opening it whatever stands in the way, and staying on it when it goes."""

from flashcore.approach.candidates import Candidate, candidates, why_not
from flashcore.approach.followed import FollowedPort
from flashcore.approach.patience import DEFAULT_PATIENCE, Patience
from flashcore.approach.reach import AUTO, approach, reach

__all__ = [
    "AUTO",
    "DEFAULT_PATIENCE",
    "Candidate",
    "FollowedPort",
    "Patience",
    "approach",
    "candidates",
    "reach",
    "why_not",
]
