"""A guard for what remembers a video: two threads in it at once would mix their frames."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["OneAtATime"]


class OneAtATime:
    """Raises where a second thread comes in before the first has left.

    Args:
        advice: what the second one should do; ends the message.
    """

    def __init__(self, advice: str) -> None:
        self._advice = advice
        self._lock = threading.Lock()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Be in it; RuntimeError where another thread is."""
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(f"called from two threads at once: {self._advice}")
        try:
            yield
        finally:
            self._lock.release()

    def __deepcopy__(self, memo: dict) -> OneAtATime:
        return OneAtATime(self._advice)

    def __reduce__(self) -> tuple:
        return OneAtATime, (self._advice,)
