"""How a command of `mezctl` gets at the hub: in whose name is decided in `mezite.client.identity`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mezite.client.hub import Hub


@dataclass(frozen=True, slots=True)
class Choice:
    """What was said at the top of the command line."""

    local: bool = False
    data_dir: Path | None = None

    def hub(self) -> Hub:
        """A connection in the name of whoever applies; raises when nobody does."""
        from mezite.client.hub import Hub
        from mezite.client.identity import DATA_DIR, Acting, find
        from mezite.client.profiles import Profiles

        acting = Acting(Profiles(), self.data_dir or DATA_DIR, self.local)
        return Hub(find(acting, datetime.now(UTC)))


choice = click.make_pass_decorator(Choice)
"""Gives a command the `Choice`, as its first argument."""
