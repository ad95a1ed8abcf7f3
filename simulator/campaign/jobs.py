"""From what a fault preset says about the job to the job itself."""

from __future__ import annotations

from simulator.faults.presets.schema import JobSetup
from simulator.flashers.images import Image
from simulator.flashers.task import Job


def job_of(setup: JobSetup, usual: Job, seed: int) -> Job:
    """Return the job that a preset asks for.

    Args:
        setup: What it says.
        usual: The suite's own job, whose images are taken where the preset names none.
        seed: Which bytes.
    """
    images = tuple(Image(offset=image.offset, size=image.size, seed=seed, kind=image.kind) for image in setup.images)
    return Job(
        images=() if setup.whole else images or usual.images,
        whole=setup.whole,
        used=usual.used,
        action=setup.action,
        baud=setup.baud,
        port=setup.port,
        sessions=setup.sessions,
        success=setup.success,
        untouched=setup.untouched,
    )
