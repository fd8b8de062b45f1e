"""The configuration for OpenSSH: read back by the ssh that will read it, and kept between its markers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mezite.client.ssh_config import (
    Files,
    Host,
    as_arguments,
    preferences,
    replaced,
    section,
    trust,
)
from mezite.errors import CallerError, Invalid
from tests.support.openssh import MISSING

WEB_1 = Host(("web-1.production.mezite", "web-1.mezite"), "web-1.production")
DB_1 = Host(("db-1.production.mezite", "db-1.mezite"), "db-1.production", user="dba")
LABEL = "hub:3080"


def files(home: Path, *msh: str) -> Files:
    return Files(home / "key", home / "key-cert.pub", home / "known_hosts", msh or ("/usr/bin/msh",))


def read_by_ssh(*words: str | Path) -> dict[str, str]:
    """What ssh makes of its options."""
    ended = subprocess.run(["ssh", *map(str, words), "-G"], capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in ended.stdout.splitlines() if " " in line)


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_ssh_reads_a_section(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(section(LABEL, [WEB_1, DB_1], files(tmp_path)))
    for alias in WEB_1.aliases:
        read = read_by_ssh("-F", config, alias)
        assert read["hostname"] == "web-1.production"
        assert read["hostkeyalias"] == "web-1.production"
        assert read["stricthostkeychecking"] == "true"
        assert read["identitiesonly"] == "yes"
        assert read["proxyusefdpass"] == "yes"
        assert read["proxycommand"] == "/usr/bin/msh proxy ssh %r@%h:%p"
        assert read["identityfile"] == str(tmp_path / "key")
        assert read["certificatefile"] == str(tmp_path / "key-cert.pub")
        assert read["userknownhostsfile"] == str(tmp_path / "known_hosts")
        assert read["ciphers"].startswith("aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20")
    assert read_by_ssh("-F", config, "db-1.mezite")["user"] == "dba"
    assert "proxycommand" not in read_by_ssh("-F", config, "elsewhere.example.com")


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_a_line_added_below_is_for_all_hosts(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(section(LABEL, [DB_1], files(tmp_path)) + "ForwardAgent yes\n")
    assert read_by_ssh("-F", config, "elsewhere.example.com")["forwardagent"] == "yes"


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.characters(codec="ascii", exclude_characters="/\0", min_codepoint=32), min_size=1))
def test_every_path_arrives_as_it_is(tmp_path: Path, name: str) -> None:
    try:
        options = trust("web-1.production", files(tmp_path / name, str(tmp_path / name / "msh")))
    except CallerError:
        assert "${" in name or not name.isprintable()
        return
    read = read_by_ssh("-F", "none", *as_arguments((*options, *preferences())), "web-1.production")
    # -G shows paths before percent signs are expanded.
    assert read["identityfile"].replace("%%", "%") == str(tmp_path / name / "key")
    assert read["userknownhostsfile"].replace("%%", "%") == str(tmp_path / name / "known_hosts")
    command = read["proxycommand"].replace("%r@%h:%p", "").replace("%%", "%")
    said = subprocess.run(
        ["sh", "-c", f"printf '%s\\n' {command}"], capture_output=True, text=True, check=True
    ).stdout
    assert said == f"{tmp_path / name / 'msh'}\nproxy\nssh\n"


@pytest.mark.parametrize("name", ["${HOME}", "a\nb", "a\x7fb"])
def test_a_path_that_openssh_cannot_be_told_is_refused(name: str) -> None:
    with pytest.raises(CallerError, match="MEZITE_HOME"):
        trust("web-1.production", files(Path("/home") / name))


OURS = section(LABEL, [WEB_1], files(Path("/home/a")))
lines = st.lists(st.sampled_from(["Host mine", "    User me", "# a word", "", "Include other"])).map(
    lambda found: "".join(f"{line}\n" for line in found)
)


@given(before=lines, after=lines)
def test_a_section_replaces_itself_and_nothing_else(before: str, after: str) -> None:
    text = f"{before}{section(LABEL, [DB_1], files(Path('/home/b')))}{after}"
    once = replaced(text, LABEL, OURS)
    assert once == f"{before}{OURS}{after}"
    assert replaced(once, LABEL, OURS) == once


@given(text=lines)
def test_a_first_section_goes_to_the_end_and_stays_there(text: str) -> None:
    once = replaced(text, LABEL, OURS)
    assert once.startswith(text.rstrip())
    assert once.endswith(OURS)
    assert replaced(once, LABEL, OURS) == once


def test_sections_of_two_hubs_do_not_touch() -> None:
    other = section("other:3080", [DB_1], files(Path("/home/b")))
    both = replaced(other, LABEL, OURS)
    assert replaced(both, "other:3080", other) == both
    assert both.count("Host ") == 2


def test_a_section_without_its_end_is_not_guessed_at() -> None:
    broken = OURS[: OURS.index("# <<<")] + "Host mine\n"
    with pytest.raises(Invalid, match="by hand"):
        replaced(broken, LABEL, OURS)
