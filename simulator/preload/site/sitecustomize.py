"""Runs at the start of every Python below this folder's ``PYTHONPATH``: changes the list of ports, then makes way.

An environment may have a `sitecustomize` of its own, which this one hides and therefore runs.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder

HERE = os.path.dirname(os.path.abspath(__file__))


def _run(name: str, spec: ModuleSpec | None) -> None:
    if spec is not None and spec.loader is not None:
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)


_NAME = "_espsim_port_list"
_run(_NAME, importlib.util.spec_from_file_location(_NAME, os.path.join(os.path.dirname(HERE), "port_list.py")))
sys.modules.pop(_NAME).show_what_the_environment_says()
_run(__name__, PathFinder.find_spec(__name__, [folder for folder in sys.path if os.path.abspath(folder) != HERE]))
