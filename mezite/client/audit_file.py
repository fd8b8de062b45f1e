"""The audit log as a file: JSON lines, made by `mezctl audit export`, judged without a hub.

    {"seq": 7, "hash": HEX, "body": TEXT}     an event; `body` is what was hashed, byte for byte
    {"head": "mezite-head:..."}               a signed head

Events stand in the order of their numbers from 1 up, heads anywhere; docs/formats/audit.md is the
specification. Which faults there are is `mezite.audit.verify`'s to say. The file is read twice, since a
head must be known before its event is judged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mezite.audit.chain import Record
from mezite.errors import CallerError, Invalid

if TYPE_CHECKING:
    from mezite.api.generated.audit_pb2 import Link
    from mezite.audit.head_file import Gathered
    from mezite.audit.verify import Report

MAX_LINE_CHARS: Final = 8 * 1024 * 1024


def line_of(link: Link) -> str | None:
    """One line of the file; None for what a later hub may send besides."""
    match link.WhichOneof("line"):
        case "event":
            event = link.event
            return json.dumps({"seq": event.seq, "hash": event.hash.hex(), "body": event.body})
        case "head":
            return json.dumps({"head": link.head.text})
        case _:
            return None


def heads_in(path: Path) -> Gathered:
    """Every head in a file of lines: the hub's own, or a log that they were written to."""
    from mezite.audit.head_file import gather

    found = gather(_lines(path))
    if not found.heads:
        raise Invalid(f"{path} holds no head; the lines wanted have mezite-head: in them")
    return found


def judge(path: Path, keys: Sequence[bytes], outside: Iterable[str]) -> Report:
    """What is wrong with an exported log, if anything. `keys`: the audit keys to believe, raw Ed25519."""
    from mezite.audit.heads import is_genuine, parse_head
    from mezite.audit.verify import Verifier

    inside = [parse_head(_text(facts, "head")) for facts in _facts(path) if "head" in facts]
    given = [parse_head(text) for text in outside]
    # Heads name their key by an id that only the hub can look up; a key that holds is the one that was meant.
    by_id = {
        head.key_id: key for head in [*inside, *given] for key in keys if is_genuine(head, {head.key_id: key})
    }
    verifier = Verifier(by_id, given)
    for head in inside:
        verifier.expect(head)
    for facts in _facts(path):
        if "head" not in facts:
            verifier.read(_record(facts, path))
    return verifier.report()


def key_of(line: str) -> bytes:
    """The raw key in the OpenSSH line that `mezctl auth export --type=audit` prints."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    try:
        key = load_ssh_public_key(line.strip().encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise Invalid("not an audit key; give the file that `mezctl auth export --type=audit` wrote")
    return key.public_bytes_raw()


def _facts(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(_lines(path), 1):
        try:
            facts = json.loads(line)
        except (ValueError, RecursionError):
            facts = None
        if not isinstance(facts, dict):
            raise Invalid(f"{path}:{number}: not a line of an exported log")
        yield facts


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            while line := file.readline(MAX_LINE_CHARS + 1):
                if len(line) > MAX_LINE_CHARS:
                    raise Invalid(f"{path} has a line longer than {MAX_LINE_CHARS} characters")
                yield line
    except OSError as error:
        raise CallerError(f"cannot read {path}: {error.strerror}") from None


def _record(facts: dict[str, Any], path: Path) -> Record:
    seq = facts.get("seq")
    try:
        digest = bytes.fromhex(_text(facts, "hash"))
    except ValueError:
        digest = b""
    if not isinstance(seq, int) or isinstance(seq, bool) or not 0 < seq < 2**63 or len(digest) != 32:
        raise Invalid(f"{path} holds an event without a number or a hash")
    return Record(seq, _text(facts, "body"), digest)


def _text(facts: dict[str, Any], name: str) -> str:
    value = facts.get(name)
    if not isinstance(value, str):
        raise Invalid(f"not a line of an exported log: no {name}")
    return value
