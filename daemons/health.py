"""Whether a process can do its work: named checks, asked when somebody asks, with the reasons kept.

Alive and ready are two questions. A process that answers at all is alive; it is ready when every check
holds. A check that raises, or does not answer in time, is a no. Rendering is the web's; so are metrics.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from mezite.errors import MeziteError

log = logging.getLogger(__name__)

Check = Callable[[], Awaitable[None]]
"""Returns when all is well; raises with the reason when not."""

PATIENCE: Final = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Health:
    """Check name -> what is wrong; empty when ready. The reasons may be shown to anybody."""

    faults: Mapping[str, str]

    @property
    def ready(self) -> bool:
        return not self.faults


async def ask(checks: Mapping[str, Check], *, patience: timedelta = PATIENCE) -> Health:
    """All checks at once, each with the same patience."""
    async with asyncio.TaskGroup() as group:
        asked = {
            name: group.create_task(_fault(name, check, patience), name=f"health {name}")
            for name, check in checks.items()
        }
    return Health({name: fault for name, task in asked.items() if (fault := task.result()) is not None})


async def _fault(name: str, check: Check, patience: timedelta) -> str | None:
    try:
        async with asyncio.timeout(patience.total_seconds()):
            await check()
    except TimeoutError:
        return f"no answer within {patience.total_seconds():g} s"
    except MeziteError as error:
        return error.message
    except Exception:  # a check that breaks must not break the answer, and its text may say too much
        log.exception("health check %s failed", name)
        return "failed; the log says why"
    return None
