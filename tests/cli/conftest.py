"""A hub for all tests of this folder, and prompts at it."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mezite.api.generated.users_pb2 import CreateUserRequest
from mezite.client.contact import meet, parse_proxy
from mezite.client.hub import Hub
from mezite.client.local import admit
from mezite.client.login import Password, enrol
from mezite.client.login import log_in as login_by
from mezite.client.methods import USERS_CREATE
from mezite.client.profiles import Profiles
from tests.support.hub_process import ADMIN, PASSWORD, Prompt, RunningHub, running_hub

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A hub whose administrator has enrolled."""
    with running_hub(tmp_path_factory.mktemp("hub")) as running:
        contact = meet(parse_proxy(running.web), None, pins=(running.ca_pin,), consent=lambda *_: False)
        enrol(contact, running.first_admin_token, PASSWORD)
        yield running


@pytest.fixture
def prompt(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Prompt:
    """A prompt of somebody who has never logged in."""
    return Prompt(monkeypatch, capsys, tmp_path / "mezite-home")


@pytest.fixture
def log_in(hub: RunningHub, prompt: Prompt) -> Callable[[str], None]:
    """Logs this prompt in as somebody who has the usual password."""

    def as_user(user: str) -> None:
        outcome = prompt.msh(
            "login", f"--proxy={hub.web}", f"--user={user}", f"--ca-pin={hub.ca_pin}", "--password-stdin",
            stdin=PASSWORD + "\n",
        )  # fmt: skip
        assert outcome.code == 0, outcome.err

    return as_user


@pytest.fixture(scope="session")
def admin_home(hub: RunningHub, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client state of the administrator, logged in once for all tests."""
    home = tmp_path_factory.mktemp("admin") / "mezite-home"
    contact = meet(parse_proxy(hub.web), None, pins=(hub.ca_pin,), consent=lambda *_: False)
    Profiles(home).save(login_by(contact, Password(ADMIN, PASSWORD), None, datetime.now(UTC)))
    return home


@pytest.fixture
def admin(prompt: Prompt, admin_home: Path) -> Prompt:
    """The prompt of the administrator."""
    shutil.copytree(admin_home, prompt.home, symlinks=True)
    return prompt


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"user-{next(_numbers)}"


@pytest.fixture(scope="session")
def casey(hub: RunningHub) -> str:
    """A user with the usual password, for tests that only look."""
    _create(hub, "casey")
    return "casey"


@pytest.fixture
def user(hub: RunningHub, name: str) -> str:
    """A user with the usual password, of this test alone."""
    _create(hub, name)
    return name


def _create(hub: RunningHub, name: str) -> None:
    with Hub(admit(hub.data_dir)) as connection:
        connection.call(USERS_CREATE, CreateUserRequest(name=name, roles=["access"], password=PASSWORD))
