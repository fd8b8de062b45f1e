"""How long to wait before the next try: doubling, with full jitter, for ever. Pure.

Full jitter (anything from nothing to the bound) is what parts ten thousand agents that lost one hub.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

FLOOR_S: Final = 0.1
CEILING_S: Final = 8.0


class BackOff:
    def __init__(self, jitter: Callable[[float, float], float] = random.uniform) -> None:
        self._jitter = jitter
        self._bound = FLOOR_S

    def next_s(self) -> float:
        wait = self._jitter(0.0, self._bound)
        self._bound = min(self._bound * 2, CEILING_S)
        return wait

    def reset(self) -> None:
        """Something worked long enough to be called working."""
        self._bound = FLOOR_S
