"""`mezctl audit verify`: the hub's log judged by the hub, or an exported one judged here."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from mezite.cli.flags import example, formatted
from mezite.cli.mezctl.acting import Choice
from mezite.cli.output import Form, show_data, show_table
from mezite.plain import plain

_FINDINGS: Final = (("FAULT", "kind"), ("EVENT", "seq"), ("WHAT", "what"))
_HEADS_A_CALL: Final = 1_000
"""What a hub takes."""


@click.command(
    epilog=example(
        "mezctl audit verify",
        "mezctl audit verify --heads=audit-heads.log",
        "mezctl audit verify --file=audit.jsonl --key=audit.pub",
    )
)
@click.option(
    "--head",
    "heads",
    multiple=True,
    metavar="HEAD",
    help="A head that was kept elsewhere; may be given several times.",
)
@click.option(
    "--heads", "heads_file", type=click.Path(path_type=Path), metavar="FILE", help="A file with such heads."
)
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Judge an exported log, here, instead of the hub's.",
)
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --file: the audit key. [default: the hub is asked]",
)
@formatted
@click.pass_context
def verify(
    ctx: click.Context,
    heads: tuple[str, ...],
    heads_file: Path | None,
    file: Path | None,
    key: Path | None,
    form: Form,
) -> None:
    """Judge the log: find what was edited, deleted, swapped or cut off.

    Ends with 1 when something was found.
    """
    from mezite.audit.heads import format_head
    from mezite.client.audit_file import heads_in

    if key and not file:
        raise click.UsageError("--key goes with --file")
    acting = ctx.find_object(Choice)
    assert acting is not None
    kept = heads_in(heads_file) if heads_file else None
    known = [*heads, *(format_head(head) for head in (kept.heads if kept else ()))]
    verdict = _judged_here(acting, file, key, known) if file else _judged_there(acting, known)
    if kept and kept.fall:
        # No finding: a log put together from several hubs' may be out of order by a line.
        verdict["warnings"].append(f"the heads go back from event {kept.fall.high} to {kept.fall.low}")
    if form is Form.TEXT:
        _show_verdict(verdict)
    else:
        show_data(verdict, form)
    ctx.exit(0 if verdict["sound"] else 1)


def _judged_there(acting: Choice, heads: list[str]) -> dict[str, Any]:
    from mezite.api.generated.audit_pb2 import VerifyRequest
    from mezite.client.methods import AUDIT_VERIFY

    with acting.hub() as hub:
        verdicts = [
            hub.call(AUDIT_VERIFY, VerifyRequest(heads=some), timeout_s=None) for some in _portions(heads)
        ]
    found = {(each.kind, each.seq, each.what): None for one in verdicts for each in one.findings}
    return {
        "sound": all(one.sound for one in verdicts),
        "events": verdicts[-1].events,
        "findings": [{"kind": kind, "seq": seq, "what": what} for kind, seq, what in found],
        "head": (not found and verdicts[-1].head.text) or None,
        "warnings": list({text: None for one in verdicts for text in one.warnings}),
    }


def _portions(heads: list[str]) -> list[list[str]]:
    """As many as one call takes; none at all are one call too."""
    return [heads[start : start + _HEADS_A_CALL] for start in range(0, len(heads) or 1, _HEADS_A_CALL)]


def _judged_here(acting: Choice, file: Path, key: Path | None, heads: list[str]) -> dict[str, Any]:
    from mezite.audit.verify import warnings
    from mezite.client.audit_file import judge, key_of

    report = judge(file, [key_of(_read_key(key) if key else _audit_key(acting))], heads)
    found = [{"kind": each.kind.value, "seq": each.seq, "what": each.what} for each in report.findings]
    return {
        "sound": report.sound,
        "events": report.events,
        "findings": found,
        "vouched_to": report.vouched_to,
        "warnings": list(warnings(report)),
    }


def _read_key(path: Path) -> str:
    from mezite.client.home import read
    from mezite.errors import CallerError

    try:
        return read(path)
    except (OSError, ValueError):
        raise CallerError(f"cannot read the audit key in {path}") from None


def _audit_key(acting: Choice) -> str:
    from mezite.api.generated.authorities_pb2 import ExportAuthorityRequest
    from mezite.client.methods import AUTHORITIES_EXPORT

    with acting.hub() as hub:
        return hub.call(AUTHORITIES_EXPORT, ExportAuthorityRequest(kind="audit")).text


def _show_verdict(verdict: dict[str, Any]) -> None:
    if not verdict["sound"]:
        show_table(verdict["findings"], _FINDINGS)
        click.echo()
    click.echo(f"{'Sound' if verdict['sound'] else 'NOT SOUND'}: {verdict['events']} events judged.")
    for warning in verdict["warnings"]:
        click.echo(f"But {plain(warning)}.")
    if (vouched := verdict.get("vouched_to")) is not None:
        click.echo(f"Vouched for by a signed head up to event {vouched}.")
    if verdict.get("head"):
        click.echo(f"Keep this head elsewhere, to compare later: {plain(verdict['head'])}")
