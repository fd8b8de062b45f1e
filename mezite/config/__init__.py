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
"""

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
