"""Identifiers: how each is minted, and what a name may look like.

Ids are never used again, so a deleted user's votes and certificates can never come to mean somebody
else. Names are typed by people and end up in ssh_config, `%r@%h` and file names, hence the narrow
alphabets. Randomness is injected so that a test can say what it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Final

from mezite.errors import Invalid

RandomBytes = Callable[[int], bytes]

_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"

USER_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
SLUG: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""Names of roles, nodes and clusters: a DNS label's alphabet."""
LOGIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
TRAIT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}")
LABEL_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}")


def mint(prefix: str, *, length: int = 16, random: RandomBytes = os.urandom) -> str:
    """`prefix_` and `length` characters of `[0-9a-z]`; 16 of them hold 82 bits."""
    letters: list[str] = []
    while len(letters) < length:
        letters.extend(_ALPHABET[byte % 36] for byte in random(length) if byte < 252)
    return f"{prefix}_{''.join(letters[:length])}"


def mint_uuid(random: RandomBytes = os.urandom) -> str:
    """A random (version 4) UUID, for nodes and sessions."""
    # `uuid` brings `platform` and more along, which the ProxyCommand of every ssh would wait for.
    from uuid import UUID

    return str(UUID(bytes=random(16), version=4))


def _named(kind: str, pattern: re.Pattern[str], rule: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise Invalid(f"{text[:80]!a} is not a {kind}; use {rule}", code="invalid_name")
        return text

    return check


user_name = _named("user name", USER_NAME, "1 to 64 of a-z 0-9 . _ @ -, beginning with a letter or digit")
role_name = _named("role name", SLUG, "1 to 63 of a-z 0-9 -, beginning with a letter or digit")
node_name = _named("node name", SLUG, "1 to 63 of a-z 0-9 -, beginning with a letter or digit")
cluster_name = _named("cluster name", SLUG, "1 to 63 of a-z 0-9 -, beginning with a letter or digit")
login = _named("login", LOGIN, "1 to 32 of A-Z a-z 0-9 _ . -, beginning with a letter or _")
trait_name = _named("trait name", TRAIT, "1 to 63 of A-Z a-z 0-9 . _ / -, beginning with a letter or digit")
label_key = _named("label key", LABEL_KEY, "1 to 63 of A-Z a-z 0-9 . _ / -, beginning with a letter or digit")
