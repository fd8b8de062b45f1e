"""`python -P -m recordings verify FILE`: the offline verdict, for whoever has a file and perhaps some keys.

Exit status: 0 intact as far as it was checked, 1 not intact, 2 wrong usage, 5 no such file.
Run it with `-P`, so that no foreign `recordings` in the working directory is taken for this one.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recordings.errors import BadKeyFile, RecordingError
from recordings.frames import LINK_BYTES
from recordings.keys import MAX_KEY_FILE, load_keyring
from recordings.source import FileSource
from recordings.trust import TrustAnchors, load_keys
from recordings.verify import Finding, Level, Receipt, Verdict, verify

EXAMPLE = """example:
  python -P -m recordings verify session.mzr --ca host_ca.pub --keys recording_keys.pem

Without --ca nobody says whose key signed; without --keys the contents stay sealed: both "not checked".
"""


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        verdict = _verify(arguments)
    except FileNotFoundError as missing:
        return _complain(f"{missing.filename}: no such file", 5)
    except (OSError, RecordingError) as wrong:
        return _complain(str(wrong), 1)
    render = _as_json if arguments.format == "json" else _as_text
    sys.stdout.write(render(verdict))
    return 0 if verdict.intact else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -P -m recordings", description="Session recordings, offline."
    )
    verbs = parser.add_subparsers(required=True, metavar="verify")
    verb = verbs.add_parser(
        "verify",
        help="say whether a recording is what its node wrote",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.add_argument("file", type=Path, metavar="FILE")
    verb.add_argument(
        "--keys", type=Path, metavar="F", help="recording private keys, PEM: checks contents too"
    )
    verb.add_argument("--ca", type=Path, metavar="F", help="Host CA public keys, OpenSSH: checks the node")
    verb.add_argument(
        "--closers", type=Path, metavar="F", help="keys of hubs that may end what a dead node could not"
    )
    verb.add_argument("--receipt", type=_receipt, metavar="BYTES:DIGEST", help="what the hub acknowledged")
    verb.add_argument("--format", choices=("text", "json"), default="text")
    return parser


def _receipt(text: str) -> Receipt:
    length, _, digest = text.partition(":")
    if not length.isascii() or not length.isdigit() or len(digest) != 2 * LINK_BYTES:
        raise argparse.ArgumentTypeError("not BYTES:DIGEST, a number and 64 hex digits")
    try:
        return Receipt(int(length), bytes.fromhex(digest))
    except ValueError:
        raise argparse.ArgumentTypeError("the digest is not 64 hex digits") from None


def _verify(arguments: argparse.Namespace) -> Verdict:
    ring = load_keyring(_small(arguments.keys)) if arguments.keys else None
    anchors = TrustAnchors(
        host_cas=load_keys(_small(arguments.ca)) if arguments.ca else frozenset(),
        closers=load_keys(_small(arguments.closers)) if arguments.closers else frozenset(),
    )
    with FileSource(arguments.file) as source:
        return verify(source, ring=ring, anchors=anchors, receipt=arguments.receipt)


def _small(path: Path) -> bytes:
    with path.open("rb") as file:
        raw = file.read(MAX_KEY_FILE + 1)
    if len(raw) > MAX_KEY_FILE:
        raise BadKeyFile(f"{path} is longer than {MAX_KEY_FILE} bytes and so no key file")
    return raw


def _complain(message: str, status: int) -> int:
    sys.stderr.write(f"error: {message}\n")
    return status


def _as_text(verdict: Verdict) -> str:
    lines = []
    if verdict.header is not None:
        header = verdict.header
        # ascii(): names in a header are outside text and could hold control sequences
        lines += [
            f"recording  {header.id.hex()}",
            f"session    {ascii(header.session)[1:-1]}",
            f"node       {ascii(header.node)[1:-1]}, login {ascii(header.login)[1:-1]}",
            f"user       {ascii(header.user)[1:-1]}",
            f"started    {_wall(header.started_at_us)}",
            f"length     {_span(verdict.duration_us)} in {verdict.chunks} chunks",
        ]
    lines += [f"{level.value:<10} {answer.value}" for level, answer in verdict.answers.items()]
    lines += [f"{finding.fault.value:<10} {_place(finding)}{finding.detail}" for finding in verdict.findings]
    if verdict.plays_to_us < verdict.duration_us:
        lines.append(f"plays to   {_span(verdict.plays_to_us)}")
    lines.append(f"verdict    {'intact' if verdict.intact else verdict.findings[0].fault.value}")
    return "\n".join(lines) + "\n"


def _place(finding: Finding) -> str:
    if finding.offset is None:
        return ""
    chunk = "" if finding.chunk is None else f"chunk {finding.chunk}, "
    return f"{chunk}byte {finding.offset}: "


def _as_json(verdict: Verdict) -> str:
    header = verdict.header
    fields: dict[str, Any] = {
        "verdict": "intact" if verdict.intact else verdict.findings[0].fault.value,
        "recording": header.id.hex() if header else None,
        "session": header.session if header else None,
        "node": header.node if header else None,
        "chunks": verdict.chunks,
        "duration_us": verdict.duration_us,
        "plays_to_us": verdict.plays_to_us,
        "last": verdict.last.hex(),
        "levels": {level.value: verdict.answers[level].value for level in Level},
        "findings": [
            {"fault": f.fault.value, "detail": f.detail, "offset": f.offset, "chunk": f.chunk}
            for f in verdict.findings
        ],
    }
    return json.dumps(fields, indent=2) + "\n"


def _wall(microseconds: int) -> str:
    try:
        moment = datetime.datetime.fromtimestamp(microseconds // 1_000_000, datetime.UTC)
    except (ValueError, OverflowError):
        return f"{microseconds} us after 1970"
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _span(microseconds: int) -> str:
    seconds = microseconds // 1_000_000
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


if __name__ == "__main__":
    sys.exit(main())
