"""Settings of the programs that stay up: what may be set, what it means, and how the layers are read.

    secret     a text that can be used but not shown
    address    host and port, as people write them
    kinds      one parser per kind of value
    schema     how a settings class declares its keys
    settings   the keys themselves, as frozen nouns
    document   the settings file, as text with line numbers
    load       defaults < file < environment, every fault at once

Nothing here reads a clock, opens a socket or knows who asks. docs/settings.md lists every key, and a
test holds that page and `settings` together.

The names below are loaded when they are first used: a command that parses one address must not read YAML.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mezite.config.address import Address
    from mezite.config.load import DEFAULT_FILE, Loaded, describe, load_agent, load_hub
    from mezite.config.secret import Secret
    from mezite.config.settings import (
        AgentSettings,
        AuthSettings,
        DatabaseDriver,
        DatabaseSettings,
        HubSettings,
        JitSettings,
        LogFormat,
        LogLevel,
        LogSettings,
        NotificationSettings,
        ProxySettings,
        RecordingMode,
        RecordingSettings,
        RecordingStore,
        SmtpSettings,
        TlsSettings,
    )

__all__ = [
    "DEFAULT_FILE",
    "Address",
    "AgentSettings",
    "AuthSettings",
    "DatabaseDriver",
    "DatabaseSettings",
    "HubSettings",
    "JitSettings",
    "Loaded",
    "LogFormat",
    "LogLevel",
    "LogSettings",
    "NotificationSettings",
    "ProxySettings",
    "RecordingMode",
    "RecordingSettings",
    "RecordingStore",
    "Secret",
    "SmtpSettings",
    "TlsSettings",
    "describe",
    "load_agent",
    "load_hub",
]

_ROOMS: Final = {
    "Address": "address",
    "AgentSettings": "settings",
    "AuthSettings": "settings",
    "DEFAULT_FILE": "load",
    "DatabaseDriver": "settings",
    "DatabaseSettings": "settings",
    "HubSettings": "settings",
    "JitSettings": "settings",
    "Loaded": "load",
    "LogFormat": "settings",
    "LogLevel": "settings",
    "LogSettings": "settings",
    "NotificationSettings": "settings",
    "ProxySettings": "settings",
    "RecordingMode": "settings",
    "RecordingSettings": "settings",
    "RecordingStore": "settings",
    "Secret": "secret",
    "SmtpSettings": "settings",
    "TlsSettings": "settings",
    "describe": "load",
    "load_agent": "load",
    "load_hub": "load",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
