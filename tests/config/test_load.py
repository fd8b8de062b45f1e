from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.config import (
    Address,
    AgentSettings,
    DatabaseDriver,
    HubSettings,
    LogFormat,
    LogLevel,
    RecordingMode,
    Secret,
    describe,
    load_agent,
    load_hub,
)
from mezite.config.document import Document, parse
from mezite.config.load import CLIENT_VARIABLES, Loaded, resolve
from mezite.config.schema import Key, keys_of
from mezite.errors import SettingsError

PIN = "sha256:" + "ab" * 32


def file(text: str, *, world_readable: bool = False) -> Document:
    return Document("mezite.yaml", tuple(parse(text.encode(), place="mezite.yaml")), world_readable)


def hub(text: str = "", /, **environ: str) -> Loaded[HubSettings]:
    return resolve(HubSettings, file(text), environ)


def faults(text: str = "", /, **environ: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refusal:
        hub(text, **environ)
    return refusal.value.faults


def agent_faults(**environ: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refusal:
        load_agent(environ)
    return refusal.value.faults


def test_nothing_said_is_the_defaults() -> None:
    loaded = hub()
    assert loaded.settings == HubSettings()
    assert loaded.warnings == ()
    assert loaded.origins == {}
    assert loaded.settings.cluster_name == "mezite"
    assert loaded.settings.data_dir == Path("/var/lib/mezite")
    ports = (
        loaded.settings.auth.listen_addr,
        loaded.settings.proxy.ssh_listen_addr,
        loaded.settings.proxy.tunnel_listen_addr,
        loaded.settings.proxy.web_listen_addr,
    )
    assert ports == (Address("", 3025), Address("", 3023), Address("", 3024), Address("", 3080))


def test_the_environment_wins_over_the_file_and_the_file_over_the_default() -> None:
    loaded = hub("log: {level: debug, format: json}\ncluster_name: production\n", MEZITE_LOG_LEVEL="error")
    assert loaded.settings.log.level is LogLevel.ERROR
    assert loaded.settings.log.format is LogFormat.JSON
    assert loaded.settings.cluster_name == "production"
    assert loaded.origins == {
        "log.level": "MEZITE_LOG_LEVEL",
        "log.format": "mezite.yaml line 1",
        "cluster_name": "mezite.yaml line 2",
    }


def test_every_kind_of_value_is_read() -> None:
    settings = hub(
        """
        data_dir: /srv/mezite
        database: {driver: postgres, url: postgresql://mz@db/mezite}
        auth: {ca_key_passphrase: hush}
        proxy:
          ssh_listen_addr: "[::1]:0"
          public_addr: mezite.example.com
          tls: {cert_file: /etc/tls.crt, key_file: /etc/tls.key}
        recordings: {retention: 90d, search: off, endpoint: "http://127.0.0.1:9000"}
        notifications:
          allow_targets: [10.0.0.0/8, hooks.internal, "::1"]
          smtp: {host: mail, port: 25, from: mezite@example.com}
        jit: {max_duration: 1h30m, default_duration: 30m}
        """
    ).settings
    assert settings.data_dir == Path("/srv/mezite")
    assert settings.database.driver is DatabaseDriver.POSTGRES
    assert settings.database.url == Secret("postgresql://mz@db/mezite")
    assert settings.auth.ca_key_passphrase == Secret("hush")
    assert settings.proxy.ssh_listen_addr == Address("::1", 0)
    assert settings.proxy.public_addr == Address("mezite.example.com", 3080)
    assert settings.proxy.tls.key_file == Path("/etc/tls.key")
    assert settings.recordings.retention == timedelta(days=90)
    assert settings.recordings.search is False
    assert settings.notifications.allow_targets == (
        ip_network("10.0.0.0/8"),
        "hooks.internal",
        ip_network("::1/128"),
    )
    assert settings.notifications.smtp.sender == "mezite@example.com"
    assert settings.jit.max_duration == timedelta(minutes=90)


def test_a_list_is_parted_by_commas_in_the_environment() -> None:
    settings = hub(MEZITE_NOTIFICATIONS_ALLOW_TARGETS="10.0.0.0/8, hooks.internal").settings
    assert settings.notifications.allow_targets == (ip_network("10.0.0.0/8"), "hooks.internal")
    assert hub(MEZITE_NOTIFICATIONS_ALLOW_TARGETS="").settings.notifications.allow_targets == ()


def test_all_faults_come_at_once_each_naming_key_value_and_what_is_allowed() -> None:
    assert faults(
        "cluster_name: Bad Name\nlog:\n  level: loud\n  fromat: json\nproxy: 5\nauth: {enabled: maybe}\n",
        MEZITE_JIT_MAX_DURATION="4 hours",
        MEZITE_AUTH_LISTEN_ADDR="3025",
    ) == (
        "log.fromat (mezite.yaml line 4): unknown key; did you mean log.format?",
        "proxy (mezite.yaml line 5): a section, not a value; proxy holds enabled, ssh_listen_addr,"
        " tunnel_listen_addr, web_listen_addr, public_addr, tls",
        'cluster_name (mezite.yaml line 1): "Bad Name" is not a cluster name; use 1 to 63 of a-z 0-9 -,'
        " beginning with a letter or digit",
        'log.level (mezite.yaml line 3): "loud" is not one of debug, info, warning, error',
        'auth.enabled (mezite.yaml line 6): "maybe" is not true or false',
        'auth.listen_addr (MEZITE_AUTH_LISTEN_ADDR): "3025" is not an address to listen on;'
        " write host:port, :port or [::1]:port",
        'jit.max_duration (MEZITE_JIT_MAX_DURATION): "4 hours" is not a duration; write 30m, 4h, 1h30m or 2d',
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "foo: {bar: {x: 1}}",
            "foo (mezite.yaml line 1): unknown key; the file holds cluster_name, data_dir,",
        ),
        ("log: {x1: 1}", "log.x1 (mezite.yaml line 1): unknown key; log holds level, format"),
        ("log: {level: {x: 1}}", "log.level (mezite.yaml line 1): holds no value; give it one of debug,"),
        ("cluster_name:", "cluster_name (mezite.yaml line 1): holds no value"),
        ("data_dir: relative", 'data_dir (mezite.yaml line 1): "relative" is not an absolute path'),
        ("log: {}\nlog: {}", "log (mezite.yaml line 2): stands on line 1 already; keep one"),
        ("cluster_name: a\ncluster_name: b", "cluster_name (mezite.yaml line 2): stands on line 1 already"),
        (
            "notifications: {allow_targets: [10.0.0.1/8]}",
            'notifications.allow_targets (mezite.yaml line 1): "10.0.0.1/8"',
        ),
        (
            "notifications: {smtp: {port: 0}}",
            'notifications.smtp.port (mezite.yaml line 1): "0" is not a port',
        ),
        ("recordings: {endpoint: 'https://k:s@host'}", "recordings.endpoint (mezite.yaml line 1):"),
        ("recordings: {retention: 0s}", 'recordings.retention (mezite.yaml line 1): "0s" is not a duration'),
        (
            "proxy: {public_addr: ':3080'}",
            'proxy.public_addr (mezite.yaml line 1): ":3080" is not an address',
        ),
        (
            "proxy: {public_addr: 'host:0'}",
            'proxy.public_addr (mezite.yaml line 1): "host:0" is not an address',
        ),
        (
            'recordings: {region: "a\\u202eb"}',
            'recordings.region (mezite.yaml line 1): "a\\u202eb" is not one line',
        ),
        ('"a\\eb": 1', '"a\\u001bb" (mezite.yaml line 1): unknown key'),
        ("[a]: 1", "? (mezite.yaml line 1): unknown key"),
    ],
)
def test_each_mistake_has_its_line(text: str, fault: str) -> None:
    (found,) = faults(text)
    assert found.startswith(fault)
    assert found.isprintable()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("database: {driver: postgres}\nauth: {ca_key_passphrase: hush}", "database.url"),
        ("database: {driver: postgres, url: postgresql://db/x}", "auth.ca_key_passphrase"),
        ("database: {url: postgresql://db/x}", "database.url"),
        ("auth: {enabled: no}\nproxy: {enabled: no}", "auth.enabled"),
        ("proxy: {tls: {cert_file: /a}}", "proxy.tls.key_file"),
        ("proxy: {tls: {key_file: /a}}", "proxy.tls.cert_file"),
        ("recordings: {store: s3}", "recordings.bucket"),
        ("notifications: {smtp: {host: mail}}", "notifications.smtp.from"),
        ("notifications: {smtp: {user: u}}", "notifications.smtp.password"),
        ("notifications: {smtp: {password: p}}", "notifications.smtp.user"),
        ("jit: {default_duration: 9h}", "jit.default_duration"),
    ],
)
def test_keys_that_do_not_go_together_are_one_fault(text: str, key: str) -> None:
    (found,) = faults(text)
    assert found.startswith(f"{key} (MEZITE_{key.upper().replace('.', '_')}): ")


def test_a_proxy_alone_needs_no_passphrase() -> None:
    assert hub(
        "auth: {enabled: no}\ndatabase: {driver: postgres, url: postgresql://db/x}"
    ).settings.proxy.enabled


def test_an_unreadable_key_is_not_blamed_twice() -> None:
    (found,) = faults("jit: {max_duration: long, default_duration: 20h}")
    assert found.startswith("jit.max_duration")


def test_no_fault_shows_a_secret() -> None:
    found = faults(
        "database: {driver: postgres, url: 'mysql://mz:hunter2@db/x'}\nauth: {ca_key_passphrase: ''}"
    )
    assert len(found) == 2
    assert not any("hunter2" in fault for fault in found)


def test_describe_shows_every_key_and_no_secret() -> None:
    loaded = hub("auth: {ca_key_passphrase: hunter2}\nrecordings: {retention: 90d}", MEZITE_LOG_LEVEL="debug")
    shown = {name: (value, origin) for name, value, origin in describe(loaded)}
    assert list(shown) == [key.name for key in keys_of(HubSettings)]
    assert shown["auth.ca_key_passphrase"] == ("***", "mezite.yaml line 1")
    assert shown["recordings.retention"] == ("90d", "mezite.yaml line 2")
    assert shown["log.level"] == ("debug", "MEZITE_LOG_LEVEL")
    assert shown["auth.enabled"] == ("true", "default")
    assert shown["database.url"] == ("", "default")
    assert "hunter2" not in repr(loaded)


@pytest.mark.parametrize(
    "key", [key for key in keys_of(HubSettings) if key.default is not None], ids=lambda key: key.name
)
def test_what_describe_shows_can_be_given_back(key: Key) -> None:
    shown = {name: value for name, value, _ in describe(hub())}
    assert key.kind.parse(shown[key.name]) == key.default


def test_a_secret_in_a_file_that_all_may_read_is_a_warning() -> None:
    text = "auth: {ca_key_passphrase: hush}"
    assert resolve(HubSettings, file(text, world_readable=True), {}).warnings == (
        "mezite.yaml: everybody on this machine can read auth.ca_key_passphrase; chmod 600 it",
    )
    assert resolve(HubSettings, file(text), {}).warnings == ()
    assert resolve(HubSettings, file("cluster_name: a", world_readable=True), {}).warnings == ()


def test_unknown_variables_are_warnings_and_known_ones_are_not() -> None:
    known = dict.fromkeys(CLIENT_VARIABLES, "x") | {
        "MEZITE_NODE_NAME": "x",
        "MEZITERRANEAN": "x",
        "PATH": "x",
    }
    assert hub(**known).warnings == ()
    assert hub(MEZITE_LOG_LEVL="debug", MEZITE_SOMETHING_ELSE="x").warnings == (
        "MEZITE_LOG_LEVL: no such setting, ignored; did you mean MEZITE_LOG_LEVEL?",
        "MEZITE_SOMETHING_ELSE: no such setting, ignored",
    )


def test_no_two_keys_share_a_variable() -> None:
    # data_dir is both the hub's and the agent's, on purpose: each process has one.
    variables = [key.variable for kind in (HubSettings, AgentSettings) for key in keys_of(kind)]
    doubles = {name for name in variables if variables.count(name) > 1}
    assert doubles == {"MEZITE_DATA_DIR"}
    assert CLIENT_VARIABLES.isdisjoint(variables)


def test_the_file_asked_for_must_exist_and_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mezite.yaml"
    with pytest.raises(SettingsError, match="cannot be read"):
        load_hub(path, {})
    path.write_text("cluster_name: production\n")
    assert load_hub(path, {}).settings.cluster_name == "production"


def test_an_agent_is_set_by_its_environment() -> None:
    loaded = load_agent(
        {
            "MEZITE_AUTH_ADDR": "mezite.example.com:3025",
            "MEZITE_PROXY_ADDR": "mezite.example.com:3024",
            "MEZITE_JOIN_TOKEN": "a1b2c3d4e5f6",
            "MEZITE_NODE_NAME": "web-server-01",
            "MEZITE_NODE_LABELS": "env=production,team=platform, os=ubuntu,empty=",
            "MEZITE_RECORDING_MODE": "node-sync",
            "MEZITE_BPF_ENABLED": "TRUE",
            "MEZITE_CA_PIN": f"{PIN},{PIN.upper().replace('SHA256', 'sha256')}",
            "MEZITE_CLUSTER_NAME": "a hub's on the same machine",
        }
    )
    settings = loaded.settings
    assert loaded.warnings == ()
    assert settings.proxy_addr == Address("mezite.example.com", 3024)
    assert settings.join_token == Secret("a1b2c3d4e5f6")
    assert settings.node_labels == {"env": "production", "team": "platform", "os": "ubuntu", "empty": ""}
    assert settings.recording_mode is RecordingMode.NODE_SYNC
    assert settings.bpf_enabled is True
    assert settings.ca_pin == (PIN, PIN)
    assert "a1b2c3d4e5f6" not in repr(loaded)


def test_an_agent_needs_a_proxy() -> None:
    (found,) = agent_faults()
    assert found.startswith("proxy_addr (MEZITE_PROXY_ADDR): not set")


@pytest.mark.parametrize(
    ("name", "value", "piece"),
    [
        ("MEZITE_NODE_LABELS", "env=production,team", "team"),
        ("MEZITE_NODE_LABELS", "env=a,env=b", "env=b"),
        ("MEZITE_NODE_LABELS", "=x", "=x"),
        ("MEZITE_NODE_LABELS", "a=" + "x" * 256, "a=xxxxxxx"),
        ("MEZITE_NODE_LABELS", ",".join(f"l{number}=x" for number in range(65)), "l0=x,l1=x"),
        ("MEZITE_CA_PIN", f"{PIN},sha256:short", "sha256:short"),
        ("MEZITE_CA_PIN", "md5:" + "ab" * 32, "md5:"),
        ("MEZITE_NODE_NAME", "Web Server", "Web Server"),
        ("MEZITE_NODE_NAME", "", '""'),
        ("MEZITE_RECORDING_MODE", "sometimes", "sometimes"),
    ],
)
def test_a_bad_list_names_the_piece(name: str, value: str, piece: str) -> None:
    (found,) = agent_faults(**{"MEZITE_PROXY_ADDR": "host", name: value})
    assert name in found
    assert piece in found
    assert len(found) < 300


@given(st.dictionaries(st.sampled_from([key.variable for key in keys_of(HubSettings)]), st.text(max_size=20)))
def test_any_environment_is_settings_or_a_settings_error(environ: dict[str, str]) -> None:
    try:
        hub(**environ)
    except SettingsError as error:
        assert error.faults
        assert all(fault.isprintable() for fault in error.faults)
