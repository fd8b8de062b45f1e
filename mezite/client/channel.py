"""gRPC's side of dialling 3025: mutual TLS, options, and its failures told as errors of ours.

The hub is verified by the cluster's own authorities and by its own name, whatever address was dialled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

import grpc

from mezite.api.status import CODE_KEY, from_grpc
from mezite.client.profile import Pass
from mezite.client.trust import untrusted
from mezite.errors import MeziteError, Unavailable

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024

_NOT_PROVED: Final = ("CERTIFICATE_VERIFY_FAILED", "Hostname Verification", "Peer name")
"""How gRPC says, inside an UNAVAILABLE, that the other side is not who it should be."""


def credentials(who: Pass) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        root_certificates=who.hub.tls_authorities.encode(),
        private_key=who.key.encode(),
        certificate_chain=who.certificate.encode(),
    )


def options(who: Pass) -> list[tuple[str, str | int]]:
    return [
        ("grpc.ssl_target_name_override", who.hub.server_name),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        # The address is the hub's own; a web proxy of the environment has no business in between.
        ("grpc.enable_http_proxy", 0),
    ]


def raised(error: grpc.RpcError, who: Pass) -> MeziteError:
    """The error behind a failed call."""
    call = cast(grpc.Call, error)  # every error that a call raises is that call, which the type does not say
    status, details = call.code().name, call.details() or ""
    code = _metadata(call).get(CODE_KEY, "")
    if code:
        return from_grpc(status, details, code)
    match status:
        case "UNAVAILABLE" if any(words in details for words in _NOT_PROVED):
            return untrusted(
                f"{who.hub.auth_addr} does not show a certificate of the hub you know; log in again"
            )
        case "UNAVAILABLE":
            return Unavailable(
                f"the hub at {who.hub.auth_addr} cannot be reached{_reason(details)}; is it running?"
            )
        case "DEADLINE_EXCEEDED":
            return Unavailable(f"the hub at {who.hub.auth_addr} does not answer; try again")
        case "UNIMPLEMENTED":
            return from_grpc(
                status, "the hub does not know this call; it runs another version", "unimplemented"
            )
        case _:
            return from_grpc(status, details)


def _metadata(call: grpc.Call) -> Mapping[str, str]:
    pairs = call.trailing_metadata() or ()
    return {key: value for key, value in pairs if isinstance(value, str)}


def _reason(details: str) -> str:
    """The end of gRPC's long story that a person can act on."""
    for words in ("Connection refused", "Connection reset", "No route to host", "Network is unreachable"):
        if words in details:
            return f" ({words.lower()})"
    return " (no such host)" if "DNS" in details else ""
