from __future__ import annotations

import copy
import json
import logging
import pickle

import pytest

from mezite.config import HubSettings, Secret
from mezite.config.settings import AuthSettings

TEXT = "correct horse battery staple"
SECRET = Secret(TEXT)


@pytest.mark.parametrize(
    "shown",
    [
        repr(SECRET),
        str(SECRET),
        f"{SECRET}",
        f"{SECRET!r:>40}",
        f"{SECRET:>40}",
        f"{SECRET:.3}",
        f"{SECRET!s}",
        repr([SECRET]),
        repr(AuthSettings(ca_key_passphrase=SECRET)),
        repr(HubSettings(auth=AuthSettings(ca_key_passphrase=SECRET))),
        json.dumps({"secret": SECRET}, default=str),
        logging.LogRecord("n", 20, "p", 1, "it is %s %r", (SECRET, SECRET), None).getMessage(),
    ],
)
def test_no_way_of_printing_shows_it(shown: str) -> None:
    assert "***" in shown
    assert not any(word in shown for word in TEXT.split())


@pytest.mark.parametrize(
    "copying",
    [
        pickle.dumps,
        copy.copy,
        copy.deepcopy,
        lambda secret: secret.__getstate__(),
        lambda secret: pickle.dumps(AuthSettings(ca_key_passphrase=secret)),
        hash,
    ],
)
def test_it_cannot_be_carried_away(copying: object) -> None:
    assert callable(copying)
    with pytest.raises(TypeError) as refusal:
        copying(SECRET)
    assert TEXT not in str(refusal.value)


def test_it_is_had_by_asking() -> None:
    assert SECRET.reveal() == TEXT


def test_equality_is_of_the_text_and_with_secrets_only() -> None:
    assert Secret(TEXT) == SECRET
    assert Secret("another") != SECRET
    assert SECRET != TEXT
    assert Secret("ä") != Secret("o")


def test_there_is_no_empty_secret() -> None:
    with pytest.raises(ValueError, match="empty"):
        Secret("")
