"""``python -m simulator`` is ``espsim``."""

from simulator.cli import main

main()
