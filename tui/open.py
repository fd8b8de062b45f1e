"""Opens the console: on the active profile, or on the demo cluster as its administrator."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

from mezite.client.contact import meet, parse_proxy
from mezite.client.login import Password, log_in
from mezite.client.profiles import Profiles
from mezite.clock import SystemClock
from tui.app import Console, locale_is_ascii
from tui.themes import chosen

DEMO_USER = "admin"


def at_terminal() -> bool:
    """Whether there is somebody to look at a console, and keys to press."""
    # The console draws on standard error, as its toolkit does.
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return (
        all(stream is not None and stream.isatty() for stream in streams)
        and os.environ.get("TERM", "dumb") != "dumb"
    )


def open_console(theme: str | None, profiles: Profiles | None = None) -> None:
    """Runs until the person quits."""
    clock = SystemClock()
    look = chosen(theme, os.environ)
    Console(profiles or Profiles(), clock, look, ascii_only=locale_is_ascii()).run()


def open_demo(facts: dict[str, Any], theme: str | None, stop: threading.Event) -> None:
    """Logs in to the demo as its administrator, in a home inside the demo's own directory."""
    profiles = Profiles(Path(facts["dir"]) / "home")
    contact = meet(
        parse_proxy(facts["web"]), None, pins=(facts["ca_pin"],), consent=lambda _cluster, _pins: False
    )
    clock = SystemClock()
    password = facts["users"][DEMO_USER]["password"]
    profiles.save(log_in(contact, Password(DEMO_USER, password), None, clock.now()))
    console = Console(profiles, clock, chosen(theme, os.environ), ascii_only=locale_is_ascii())
    console.leave_when(stop)
    console.run()
