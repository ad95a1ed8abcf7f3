"""Being stopped: the first signal ends the work, and no further one disturbs the tidying up behind it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def one_interruption() -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM inside into KeyboardInterrupt, and ignore those after it.

    What follows an interruption is short: a port is given back, and a sentence says what the flash holds. Who cannot wait for
    that has SIGQUIT and SIGKILL.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number, handler in zip(numbers, before, strict=True):
        if handler is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
