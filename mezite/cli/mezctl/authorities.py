"""`mezctl auth`: what the cluster's authorities are known by, and certificates for machines."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from mezite.cli.flags import DURATION, example, formatted
from mezite.cli.mezctl.acting import Choice, choice
from mezite.cli.output import Form, moment, show_data, time_or_none
from mezite.plain import plain


@click.group(epilog=example("mezctl auth export --type=user > /etc/ssh/mezite_user_ca.pub"))
def auth() -> None:
    """The cluster's authorities: export what others trust, sign for machines."""


@auth.command(
    epilog=example(
        "mezctl auth export --type=user > /etc/ssh/mezite_user_ca.pub",
        "mezctl auth export --type=host --known-hosts >> ~/.ssh/known_hosts",
        "mezctl auth export --type=tls --fingerprint",
    )
)
@click.option(
    "--type",
    "kind",
    type=click.Choice(["user", "host", "tls", "audit"]),
    required=True,
    help="Which authority.",
)
@click.option("--fingerprint", is_flag=True, help="Only the fingerprint; of tls, the CA pin.")
@click.option("--known-hosts", is_flag=True, help="Of host: the line that OpenSSH's known_hosts takes.")
@formatted
@choice
def export(acting: Choice, kind: str, fingerprint: bool, known_hosts: bool, form: Form) -> None:
    """Print the public half of an authority."""
    from mezite.api.generated.authorities_pb2 import ExportAuthorityRequest
    from mezite.client.methods import AUTHORITIES_EXPORT

    if known_hosts and kind != "host":
        raise click.UsageError("--known-hosts goes with --type=host")
    with acting.hub() as hub:
        public = hub.call(AUTHORITIES_EXPORT, ExportAuthorityRequest(kind=kind))
    if form is not Form.TEXT:
        record = {
            "kind": public.kind,
            "text": public.text,
            "fingerprint": public.fingerprint,
            "known_hosts": public.known_hosts or None,
        }
        show_data(record, form)
        return
    text = public.fingerprint if fingerprint else public.known_hosts if known_hosts else public.text
    for line in text.splitlines():
        click.echo(plain(line))


@auth.command(epilog=example("mezctl auth sign --user=ci --ttl=1h --out=./ci-identity"))
@click.option("--user", required=True, metavar="NAME", help="In whose name.")
@click.option("--ttl", type=DURATION, required=True, help="How long, at most 24h.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="Where keys and certificates go; must not hold any yet.",
)
@choice
def sign(acting: Choice, user: str, ttl: timedelta, out: Path) -> None:
    """Make keys and have them certified, for CI and machines.

    The directory gets ssh_key, ssh_key.pub, ssh_key-cert.pub, tls_key.pem, tls_cert.pem, tls_ca.pem and
    known_hosts.
    """
    from mezite.api.generated.authorities_pb2 import SignRequest
    from mezite.client.bundle import check_free, write_bundle
    from mezite.client.keypairs import ssh_pair, tls_pair
    from mezite.client.methods import AUTHORITIES_SIGN

    ssh, tls = ssh_pair(), tls_pair()
    wanted = SignRequest(
        user=user, ttl_s=int(ttl.total_seconds()), ssh_public_key=ssh.public, tls_public_key=tls.public
    )
    check_free(out)
    with acting.hub() as hub:
        signed = hub.call(AUTHORITIES_SIGN, wanted)
        write_bundle(out, hub.who.hub, ssh, tls, signed)
    ends = time_or_none(signed.expires_us)
    click.echo(f"{out}: certificates of {plain(user)}, until {moment(ends) if ends else 'never'}")
