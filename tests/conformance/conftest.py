"""The arms as fixtures."""

from __future__ import annotations

import pytest

from tests.conformance.arms import ModelArm


@pytest.fixture(scope="session", params=["model"])
def arm(request: pytest.FixtureRequest) -> ModelArm:
    """Return each thing that the vectors are played to."""
    assert request.param == "model"
    return ModelArm()
