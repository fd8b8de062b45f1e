"""The cluster's public keys, and certificates signed on an administrator's word, over gRPC."""

from __future__ import annotations

from dataclasses import dataclass

from daemons.hub.desk import authorities, certs
from daemons.hub.desk.certs import PublicKeys
from daemons.hub.desk.who import Caller
from daemons.hub.rpc import convert
from daemons.hub.rpc.door import Door, unary
from mezite.api.generated import authorities_pb2, authorities_pb2_grpc
from mezite.clock import to_us
from mezite.errors import Invalid
from mezite.model.authority import AuthorityKind


@dataclass(slots=True)
class Authorities(authorities_pb2_grpc.AuthoritiesServicer):
    door: Door

    @unary
    async def Export(
        self, caller: Caller, request: authorities_pb2.ExportAuthorityRequest
    ) -> authorities_pb2.AuthorityPublic:
        try:
            kind = AuthorityKind(request.kind)
        except ValueError:
            raise Invalid(f"export one of {', '.join(AuthorityKind)}, not {request.kind[:40]!a}") from None
        public = await authorities.export(self.door.desk, caller, kind)
        return authorities_pb2.AuthorityPublic(
            kind=public.kind.value,
            text=public.text,
            fingerprint=public.fingerprint,
            known_hosts=public.known_hosts,
        )

    @unary
    async def Sign(
        self, caller: Caller, request: authorities_pb2.SignRequest
    ) -> authorities_pb2.SignedCertificates:
        keys = PublicKeys(tls_spki=request.tls_public_key, ssh_line=request.ssh_public_key)
        issued = await certs.sign(self.door.desk, caller, request.user, keys, convert.seconds(request.ttl_s))
        keyring = self.door.desk.keyring
        return authorities_pb2.SignedCertificates(
            ssh_certificate=issued.ssh_line,
            tls_certificate=issued.tls_pem,
            host_authorities=keyring.host_authorities,
            tls_authorities=keyring.tls_authorities_pem,
            expires_us=to_us(issued.identity.expires_at),
        )
