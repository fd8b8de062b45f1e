"""Profiles on disk: whole or not at all, private, and told as damaged when they are."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from mezite.client import home as files
from mezite.client.profile import Profile
from mezite.client.profiles import Profiles
from mezite.errors import CallerError, NotFound, NotLoggedIn
from tests.support.profiles import hub_at, profile_of

PROXY = "mezite.example.com:3080"


@pytest.fixture
def profiles(tmp_path: Path) -> Profiles:
    return Profiles(tmp_path / "mezite")


def marks(profile: Profile | None) -> set[str]:
    """Which logins the parts of a profile come from."""
    assert profile is not None
    assert profile.login is not None
    keys = profile.login.keys
    texts = (keys.ssh_key, keys.ssh_public, keys.ssh_certificate, keys.tls_key, keys.tls_certificate)
    return {text.split()[-1] for text in texts}


def test_what_is_saved_is_found_and_active(profiles: Profiles) -> None:
    assert profiles.active() is None
    profiles.save(profile_of())
    assert profiles.active() == profiles.find(PROXY) == profile_of()
    assert profiles.names() == ("mezite.example.com_3080",)


def test_everything_is_private_whatever_the_umask(profiles: Profiles) -> None:
    before = os.umask(0)
    try:
        profiles.save(profile_of())
    finally:
        os.umask(before)
    for path in (profiles.home, *profiles.home.rglob("*")):
        if not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_later_login_leaves_nothing_of_the_one_before(profiles: Profiles) -> None:
    profiles.save(profile_of(mark="1"))
    profiles.save(profile_of(mark="2"))
    assert marks(profiles.active()) == {"2"}
    assert len(list((profiles.home / "profiles").iterdir())) == 2, "the link and what it leads to"


def test_a_save_that_fails_at_any_file_leaves_the_old_login(
    profiles: Profiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles.save(profile_of(mark="old"))
    write = files.write_fresh
    for fails_at in range(1, 9):
        calls = iter(range(1, 100))

        def failing(path: Path, text: str, calls: object = calls, fails_at: int = fails_at) -> None:
            if next(calls) == fails_at:  # type: ignore[call-overload]
                raise OSError(28, "No space left on device")
            write(path, text)

        monkeypatch.setattr(files, "write_fresh", failing)
        with pytest.raises(CallerError, match="No space left"):
            profiles.save(profile_of(mark="new"))
        assert marks(profiles.active()) == {"old"}
        assert len(list((profiles.home / "profiles").iterdir())) == 2


def test_a_reader_never_sees_parts_of_two_logins(profiles: Profiles) -> None:
    profiles.save(profile_of(mark="0"))
    done = threading.Event()

    def write() -> None:
        for number in range(1, 30):
            profiles.save(profile_of(mark=str(number)))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not done.is_set():
        found = marks(profiles.active())
        assert len(found) == 1
        seen |= found
    writer.join()
    assert marks(profiles.active()) == {"29"}
    assert len(seen) > 1


WRITER = """
import itertools, sys
from pathlib import Path
from mezite.client.profiles import Profiles
from tests.support.profiles import profile_of
profiles = Profiles(Path(sys.argv[1]))
print("ready", flush=True)
for number in itertools.count():
    profiles.save(profile_of(mark=str(number)))
    print(number, flush=True)
"""


@pytest.mark.slow
def test_a_writer_killed_at_any_instant_leaves_one_whole_login(profiles: Profiles, rng: Random) -> None:
    profiles.save(profile_of(mark="start"))
    for _ in range(5):
        command = [sys.executable, "-c", WRITER, str(profiles.home)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(rng.randrange(1, 20)):
                last = writer.stdout.readline().strip()
            writer.send_signal(signal.SIGKILL)
            rest = writer.stdout.read().split()
        found = marks(profiles.active())
        assert len(found) == 1
        told = ([last, *rest])[-1]
        if told.isdigit():
            assert int(found.pop()) >= int(told), "what was said to be saved is there"
    profiles.save(profile_of(mark="end"))
    assert len(list((profiles.home / "profiles").iterdir())) == 2, "what killed writers left is swept"


@pytest.mark.parametrize("victim", ["profile.json", "keys/tls_cert.pem", "keys/ssh_key", "ca/tls.pem"])
@pytest.mark.parametrize("harm", ["gone", "empty", "half", "binary", "huge", "directory"])
def test_damage_is_told_in_one_line_and_mended_by_a_login(profiles: Profiles, victim: str, harm: str) -> None:
    profiles.save(profile_of())
    path = profiles.path(profile_of()) / victim
    whole = path.read_bytes()
    path.unlink()
    match harm:
        case "empty":
            path.write_bytes(b"")
        case "half":
            path.write_bytes(whole[: len(whole) // 2])
        case "binary":
            path.write_bytes(b"\xff\x00" * 100)
        case "huge":
            path.write_bytes(whole + b" " * files.MAX_FILE_BYTES)
        case "directory":
            path.mkdir()
    with pytest.raises(NotLoggedIn, match=r"damaged \(.*\); run: msh login") as told:
        profiles.active()
    assert "\n" not in told.value.message
    profiles.save(profile_of(mark="2"))
    assert marks(profiles.active()) == {"2"}


def test_parts_of_two_logins_are_damage(profiles: Profiles) -> None:
    profiles.save(profile_of(mark="1"))
    key = (profiles.path(profile_of()) / "keys/tls_key.pem").read_text()
    profiles.save(profile_of(mark="2"))
    (profiles.path(profile_of()) / "keys/tls_key.pem").write_text(key)
    with pytest.raises(NotLoggedIn, match="not what was written"):
        profiles.active()


def test_a_place_that_is_no_link_of_ours_is_not_followed_or_removed(profiles: Profiles) -> None:
    place = profiles.home / "profiles" / "mezite.example.com_3080"
    place.mkdir(parents=True)
    profiles.home.chmod(0o700)
    (place / "precious").write_text("x")
    with pytest.raises(NotLoggedIn, match="not a profile of ours"):
        profiles.find(PROXY)
    with pytest.raises(CallerError):
        profiles.save(profile_of())
    assert (place / "precious").read_text() == "x"


def test_state_that_others_may_write_is_refused(profiles: Profiles) -> None:
    profiles.save(profile_of())
    profiles.path(profile_of()).resolve().chmod(0o770)
    with pytest.raises(CallerError, match="can be written by others; run: chmod go-w"):
        profiles.active()
    profiles.home.chmod(0o777)
    with pytest.raises(CallerError, match="can be written by others"):
        profiles.save(profile_of())


def test_state_of_another_os_user_is_refused(profiles: Profiles, monkeypatch: pytest.MonkeyPatch) -> None:
    profiles.save(profile_of())
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(CallerError, match="belongs to another OS user"):
        profiles.active()


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * 300_000])
def test_a_damaged_choice_says_how_to_choose(profiles: Profiles, content: bytes) -> None:
    profiles.save(profile_of())
    (profiles.home / "current").write_bytes(content)
    with pytest.raises(CallerError, match="msh profiles use"):
        profiles.active()
    profiles.use(PROXY)
    assert profiles.active() is not None


@pytest.mark.parametrize("content", ["", "\n", "../../etc\n", "nowhere\n", "/etc/passwd\n"])
def test_a_choice_of_nothing_is_no_profile(profiles: Profiles, content: str) -> None:
    profiles.save(profile_of())
    (profiles.home / "current").write_text(content)
    assert profiles.active() is None


def test_a_login_is_forgotten_and_its_hub_is_not(profiles: Profiles) -> None:
    profiles.save(profile_of())
    profiles.forget_login(PROXY)
    found = profiles.active()
    assert found == replace(profile_of(), login=None)
    assert not [path for path in profiles.home.rglob("*") if path.name.startswith(("ssh_key", "tls_key"))]
    assert profiles.forget_login("nowhere:1") is None


def test_forgetting_a_damaged_login_removes_its_keys_too(profiles: Profiles) -> None:
    profiles.save(profile_of())
    (profiles.path(profile_of()) / "profile.json").write_text("{")
    assert profiles.forget_login(PROXY) is None
    assert list((profiles.home / "profiles").iterdir()) == []


def test_using_a_profile_that_is_not_there_names_those_that_are(profiles: Profiles) -> None:
    profiles.save(profile_of())
    with pytest.raises(NotFound, match=r"mezite\.example\.com_3080"):
        profiles.use("nowhere:1")


def test_a_profile_is_not_swept_with_one_whose_name_begins_alike(profiles: Profiles) -> None:
    profiles.save(profile_of("a:1"))
    profiles.save(profile_of("a_1.b:1"))
    profiles.save(profile_of("a:1", mark="2"))
    assert profiles.find("a_1.b:1") is not None


def test_bare_names_belong_to_the_active_cluster(profiles: Profiles) -> None:
    profiles.save(Profile(hub_at("one:1", cluster="one")))
    profiles.save(Profile(hub_at("two:1", cluster="two")))
    lines = (profiles.home / "known_hosts").read_text().splitlines()[1:]
    assert [line.split()[:2] for line in lines] == [
        ["@cert-authority", "*.one,*.one.mezite"],
        ["@cert-authority", "*,*.two,*.two.mezite"],
    ]
    profiles.use("one:1")
    assert "@cert-authority *,*.one,*.one.mezite" in (profiles.home / "known_hosts").read_text()


def test_a_damaged_profile_does_not_take_the_others_known_hosts_along(profiles: Profiles) -> None:
    profiles.save(Profile(hub_at("one:1", cluster="one")))
    (profiles.home / "profiles/one_1/profile.json").write_text("")
    profiles.save(Profile(hub_at("two:1", cluster="two")))
    assert "*.two" in (profiles.home / "known_hosts").read_text()


def test_a_home_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CallerError, match="cannot use"):
        Profiles(tmp_path / "file" / "mezite").save(profile_of())


@pytest.mark.parametrize("door", ["link", "file", "current"])
def test_what_may_not_be_read_is_not_called_damaged(
    profiles: Profiles, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    profiles.save(profile_of())

    def refused(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    if door == "link":
        monkeypatch.setattr(os, "readlink", refused)
    else:
        read = files.read
        monkeypatch.setattr(
            files,
            "read",
            lambda path: refused(path) if (path.name == "current") == (door == "current") else read(path),
        )
    with pytest.raises(CallerError, match=r"cannot read .* MEZITE_HOME") as told:
        profiles.active()
    assert not isinstance(told.value, NotLoggedIn)
    assert "damaged" not in str(told.value)


def test_a_name_without_end_is_cut_in_the_refusal(profiles: Profiles) -> None:
    with pytest.raises(NotFound) as told:
        profiles.use("h" * 5_000)
    assert len(str(told.value)) < 300
