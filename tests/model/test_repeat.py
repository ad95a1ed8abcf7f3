"""The command that repeats a case gives the same case, whatever suite it comes from."""

from __future__ import annotations

import shlex
from functools import cache
from unittest import mock

import pytest

from simulator.campaign import Case
from simulator.campaign.run import InTurn, run_clean
from simulator.campaign.suite import Order, Suite
from simulator.cli.main import status_of
from simulator.flashers.adapter import Evidence
from simulator.flashers.flashcore import FlashcoreAdapter

SIZES = {Suite.SWEEP: 4096, Suite.EXHAUSTIVE: 1024}


def order_of(suite: Suite) -> Order:
    return Order(suite=suite, seed=3, size=SIZES.get(suite), pairs=5, board="ttgo-lora32-v1")


@cache
def counted(suite: Suite) -> Evidence:
    (record,) = run_clean([order_of(suite).clean("flashcore")], {"flashcore": FlashcoreAdapter(use_stub=False)}, InTurn())
    return record.result.evidence


def asked_for(command: str) -> Order:
    """Return the order that a command line comes to."""
    words = shlex.split(command)
    assert words[0] == "espsim"
    with mock.patch("simulator.cli.score._score", return_value=0) as score:
        assert status_of(words[1:]) == 0
    order = score.call_args.args[0]
    assert isinstance(order, Order)
    return order


@pytest.mark.parametrize("suite", Suite)
def test_the_command_that_repeats_a_case_gives_the_same_case(suite: Suite) -> None:
    cases = order_of(suite).cases("flashcore", counted(suite))
    chosen: list[Case] = cases if len(cases) <= 100 else [*cases[:: len(cases) // 40], *cases[-5:]]
    for case in chosen:
        (again,) = asked_for(case.repeat()).cases("flashcore", counted(suite))
        assert (again.id, again.job, again.faults) == (case.id, case.job, case.faults)
