"""Meeting a hub at its HTTPS door: the first time by its CA pin, afterwards by what was agreed to then.

On first contact the hub is asked, over a connection that proves nothing, who it says it is; the pin of its
authority is compared or shown; then it is dialled anew and must prove it with that authority. Nothing secret
is sent before.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, Final

from mezite import ids
from mezite.client.profile import KnownHub
from mezite.client.trust import agreed, authorities, untrusted
from mezite.client.web import Web
from mezite.config.address import Address
from mezite.errors import Invalid, MeziteError
from mezite.quoting import quoted

WEB_PORT: Final = 3080
PING: Final = "/v1/webapi/ping"

Consent = Callable[[str, tuple[str, ...]], bool]
"""Asks a person: is this cluster, with these pins, the one you mean?"""


@dataclass(frozen=True, slots=True)
class Contact:
    """A hub that has proved itself, and the open way to its HTTPS door."""

    hub: KnownHub
    web: Web


def parse_proxy(text: str) -> Address:
    """`HOST[:PORT]` of a hub's HTTPS door; the port is 3080 unless said."""
    try:
        address = Address.parse(text, default_port=WEB_PORT)
    except ValueError:
        address = Address("", 0)
    if not address.host or not address.port:
        raise Invalid(f"{quoted(text)} is not an address; write HOST or HOST:PORT", code="invalid_address")
    return address


def meet(proxy: Address, known: KnownHub | None, *, pins: Collection[str] = (), consent: Consent) -> Contact:
    """Dials a hub. Named pins rule; else what is `known`; else `consent` decides."""
    if known and not pins:
        return _again(proxy, known)
    return _first(proxy, pins, consent)


def _first(proxy: Address, pins: Collection[str], consent: Consent) -> Contact:
    said = _said(Web(proxy.host, proxy.port, _blind(), proxy.host).get(PING))
    offered = authorities(said.tls_authorities)
    if not pins:
        shown = tuple(authority.pin for authority in offered)
        if not consent(said.cluster, shown):
            raise untrusted("the hub was not accepted; nothing was sent to it")
        pins = shown
    hub = KnownHub(
        proxy=str(proxy),
        cluster=said.cluster,
        auth_addr="",
        ssh_addr=None,
        tls_authorities=agreed(offered, pins),
    )
    return _proved(proxy, hub)


def _again(proxy: Address, known: KnownHub) -> Contact:
    web = _verified(proxy, known)
    return Contact(_refreshed(proxy, known, _said(web.get(PING))), web)


def _proved(proxy: Address, hub: KnownHub) -> Contact:
    """The hub as verified by the cluster's own authority, or else as any site of the public web."""
    try:
        return _again(proxy, hub)
    except MeziteError as refusal:
        if refusal.code != "untrusted_hub":
            raise
        unproved = refusal
    try:
        return _again(proxy, replace(hub, public_web=True))
    except MeziteError:
        raise unproved from None


def _verified(proxy: Address, hub: KnownHub) -> Web:
    if hub.public_web:
        return Web(proxy.host, proxy.port, ssl.create_default_context(), proxy.host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=hub.tls_authorities)
    except ssl.SSLError:
        raise untrusted("the hub's authority cannot be read") from None
    return Web(proxy.host, proxy.port, context, hub.server_name)


def _blind() -> ssl.SSLContext:
    """Proves nothing. Only for asking a hub what it says it is, never for sending anything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@dataclass(frozen=True, slots=True)
class _Said:
    """What a hub says of itself, checked for form only."""

    cluster: str
    auth_addr: str
    ssh_addr: str | None
    tls_authorities: str


def _said(answer: dict[str, Any]) -> _Said:
    try:
        ssh_addr = answer.get("ssh_addr")
        return _Said(
            cluster=ids.cluster_name(_text(answer.get("cluster"))),
            auth_addr=_text(answer.get("auth_addr")),
            ssh_addr=_text(ssh_addr) if ssh_addr is not None else None,
            tls_authorities=_text(answer.get("tls_authorities")),
        )
    except (TypeError, MeziteError):
        raise untrusted("what answers there is not a Mezite hub; check the address") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _refreshed(proxy: Address, hub: KnownHub, said: _Said) -> KnownHub:
    """`hub` with the addresses it gives now; its name and its authorities stay those agreed to."""
    if said.cluster != hub.cluster:
        raise untrusted(
            f"the hub says it is {said.cluster}, but it is known as {hub.cluster}; check the address"
        )
    return replace(
        hub,
        proxy=str(proxy),
        auth_addr=_reached(said.auth_addr, proxy),
        ssh_addr=_reached(said.ssh_addr, proxy) if said.ssh_addr is not None else None,
    )


def _reached(text: str, proxy: Address) -> str:
    """An address without a host means the host the hub was reached at."""
    try:
        address = Address.parse(text)
    except ValueError:
        raise untrusted("the hub gives an address that cannot be read") from None
    return str(Address(address.host or proxy.host, address.port))
