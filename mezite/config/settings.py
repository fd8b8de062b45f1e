"""Every key there is, for the hub and for the agent.

A key's name in the file is its path here; its environment variable is `MEZITE_` and the path in capitals.
Names are fixed: scripts and documents rely on them. Rules that concern several keys stand below the
classes, as `faults`, and are asked once all keys have been read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final

from mezite.config.address import Address
from mezite.config.kinds import (
    BOOLEAN,
    CLUSTER,
    DATABASE_URL,
    DURATION,
    HTTP_URL,
    LABELS,
    LISTEN,
    MAIL,
    NETWORKS,
    NODE,
    PATH,
    PINS,
    PORT,
    SECRET,
    TEXT,
    Network,
    choice,
    reachable,
)
from mezite.config.schema import key, section
from mezite.config.secret import Secret

Fault = tuple[str, str]
"""The key at fault, and what is wrong with it."""

NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


class DatabaseDriver(StrEnum):
    SQLITE = "sqlite"
    POSTGRES = "postgres"


class RecordingStore(StrEnum):
    DIR = "dir"
    S3 = "s3"


class RecordingMode(StrEnum):
    NODE = "node"
    NODE_SYNC = "node-sync"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class LogSettings:
    level: LogLevel = key(choice(LogLevel), LogLevel.INFO, "least severity that is written")
    format: LogFormat = key(choice(LogFormat), LogFormat.TEXT, "lines for people, or one JSON object a line")


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    driver: DatabaseDriver = key(
        choice(DatabaseDriver),
        DatabaseDriver.SQLITE,
        "embedded in the data directory, or a PostgreSQL server",
    )
    url: Secret | None = key(DATABASE_URL, None, "where PostgreSQL is; needed by that driver only")


@dataclass(frozen=True, slots=True)
class AuthSettings:
    enabled: bool = key(BOOLEAN, True, "whether this process is the auth service")
    listen_addr: Address = key(LISTEN, Address("", 3025), "gRPC with client certificates")
    ca_key_passphrase: Secret | None = key(
        SECRET, None, "seals the CA keys; without it a random key is kept in the data directory"
    )


@dataclass(frozen=True, slots=True)
class TlsSettings:
    cert_file: Path | None = key(PATH, None, "certificate for web_listen_addr, with its chain, in PEM")
    key_file: Path | None = key(PATH, None, "its private key, in PEM")


@dataclass(frozen=True, slots=True)
class ProxySettings:
    enabled: bool = key(BOOLEAN, True, "whether this process is the proxy service")
    ssh_listen_addr: Address = key(LISTEN, Address("", 3023), "SSH from users")
    tunnel_listen_addr: Address = key(LISTEN, Address("", 3024), "reverse tunnels from nodes")
    web_listen_addr: Address = key(LISTEN, Address("", 3080), "HTTPS: login, web API, health, metrics")
    public_addr: Address | None = key(
        reachable(3080), None, "how users reach web_listen_addr, when not as it stands"
    )
    tls: TlsSettings = section(TlsSettings)


@dataclass(frozen=True, slots=True)
class RecordingSettings:
    store: RecordingStore = key(choice(RecordingStore), RecordingStore.DIR, "where recordings are kept")
    path: Path | None = key(
        PATH, None, "directory of store dir; without it `recordings` in the data directory"
    )
    bucket: str | None = key(TEXT, None, "bucket of store s3")
    endpoint: str | None = key(HTTP_URL, None, "endpoint of store s3, when not Amazon's")
    region: str | None = key(TEXT, None, "region of store s3")
    retention: timedelta | None = key(DURATION, None, "age at which a recording is deleted; without it never")
    search: bool = key(BOOLEAN, True, "whether text shown in sessions is indexed")


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    host: str | None = key(TEXT, None, "mail server; without it no mail is sent")
    port: int = key(PORT, 587, "its port")
    user: str | None = key(TEXT, None, "account there")
    password: Secret | None = key(SECRET, None, "password of that account")
    sender: str | None = key(MAIL, None, "address that mail comes from", name="from")


@dataclass(frozen=True, slots=True)
class NotificationSettings:
    allow_targets: tuple[Network | str, ...] = key(
        NETWORKS, (), "loopback, link-local and private addresses that may be notified all the same"
    )
    smtp: SmtpSettings = section(SmtpSettings)


@dataclass(frozen=True, slots=True)
class JitSettings:
    enabled: bool = key(BOOLEAN, True, "whether credentials for scopes can be asked for")
    max_duration: timedelta = key(DURATION, timedelta(hours=8), "longest grant of a scope")
    default_duration: timedelta = key(
        DURATION, timedelta(hours=1), "grant of a request that names no duration"
    )
    require_justification: bool = key(BOOLEAN, True, "whether a request needs a reason")
    require_approval: bool = key(BOOLEAN, True, "whether scopes without thresholds need somebody's approval")
    approval_timeout: timedelta = key(
        DURATION, timedelta(hours=1), "age at which a pending request times out"
    )


@dataclass(frozen=True, slots=True)
class HubSettings:
    cluster_name: str = key(CLUSTER, "mezite", "name of the cluster; in every certificate, so choose once")
    data_dir: Path = key(PATH, Path("/var/lib/mezite"), "keys, embedded database, admin socket, recordings")
    log: LogSettings = section(LogSettings)
    database: DatabaseSettings = section(DatabaseSettings)
    auth: AuthSettings = section(AuthSettings)
    proxy: ProxySettings = section(ProxySettings)
    recordings: RecordingSettings = section(RecordingSettings)
    notifications: NotificationSettings = section(NotificationSettings)
    jit: JitSettings = section(JitSettings)

    def faults(self) -> Iterator[Fault]:
        """What is wrong between keys that are each right by themselves."""
        yield from _database_faults(self)
        yield from _proxy_faults(self)
        yield from _recording_faults(self.recordings)
        yield from _smtp_faults(self.notifications.smtp)
        if self.jit.default_duration > self.jit.max_duration:
            yield "jit.default_duration", "longer than jit.max_duration; shorten it or raise the maximum"


def _database_faults(settings: HubSettings) -> Iterator[Fault]:
    if settings.database.driver is DatabaseDriver.SQLITE:
        if settings.database.url is not None:
            yield "database.url", "only used with database.driver postgres; remove it or set the driver"
        return
    if settings.database.url is None:
        yield "database.url", "not set; database.driver postgres needs postgresql://user@host:port/name"
    if settings.auth.enabled and settings.auth.ca_key_passphrase is None:
        # Several hubs share one PostgreSQL: a key in one hub's directory would lock the others out.
        yield "auth.ca_key_passphrase", "not set; database.driver postgres needs one, the same on every hub"


def _proxy_faults(settings: HubSettings) -> Iterator[Fault]:
    if not settings.auth.enabled and not settings.proxy.enabled:
        yield "auth.enabled", "false, and proxy.enabled too: nothing is left to run; set one of them to true"
    tls = settings.proxy.tls
    if (tls.cert_file is None) != (tls.key_file is None):
        missing = "proxy.tls.cert_file" if tls.cert_file is None else "proxy.tls.key_file"
        yield missing, "not set; certificate and key are given together"


def _recording_faults(recordings: RecordingSettings) -> Iterator[Fault]:
    if recordings.store is RecordingStore.S3 and recordings.bucket is None:
        yield "recordings.bucket", "not set; recordings.store s3 needs one"


def _smtp_faults(smtp: SmtpSettings) -> Iterator[Fault]:
    if smtp.host is not None and smtp.sender is None:
        yield "notifications.smtp.from", "not set; mail needs an address that it comes from"
    if (smtp.user is None) != (smtp.password is None):
        missing = "user" if smtp.user is None else "password"
        yield f"notifications.smtp.{missing}", "not set; user and password are given together"


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """A node's, from its environment alone: /etc/mezite/mezite.yaml may be a hub's on the same machine."""

    proxy_addr: Address | None = key(reachable(3024), None, "the hub's reverse tunnel port; always needed")
    auth_addr: Address | None = key(reachable(3025), None, "the hub's auth port, for recordings and events")
    join_token: Secret | None = key(SECRET, None, "used once, to become a node of the cluster")
    ca_pin: tuple[str, ...] = key(PINS, (), "pins the hub's CA; several during a rotation")
    node_name: str | None = key(NODE, None, "name in the cluster; without it the host's name")
    node_labels: Mapping[str, str] = key(LABELS, NO_LABELS, "labels that roles match on")
    recording_mode: RecordingMode = key(
        choice(RecordingMode), RecordingMode.NODE, "spool and upload afterwards, stream while it runs, or off"
    )
    bpf_enabled: bool = key(
        BOOLEAN, False, "whether commands, files and connections are recorded by the kernel"
    )
    data_dir: Path = key(PATH, Path("/var/lib/mezd"), "the node's keys and spool")

    def faults(self) -> Iterator[Fault]:
        if self.proxy_addr is None:
            yield "proxy_addr", "not set; give the hub's reverse tunnel address as host:3024"
