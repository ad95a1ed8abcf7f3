"""Campaigns: many cases for a flasher, each with a verdict that comes from the world and not from the flasher's word."""

from simulator.campaign.case import Case
from simulator.campaign.oracle import Judgement, Verdict, judge
from simulator.campaign.run import run
from simulator.campaign.store import Record
from simulator.flashers.task import Job

__all__ = ["Case", "Job", "Judgement", "Record", "Verdict", "judge", "run"]
