"""Fuzzing of the device side: mutations of recorded sessions at the loaders and at the links that reach them."""
