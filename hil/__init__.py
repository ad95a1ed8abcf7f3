"""Hardware in the loop: the conformance bodies, and writing, reading and erasing, on boards that a rig file names."""
