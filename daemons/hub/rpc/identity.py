"""What everybody may do for themselves, over gRPC."""

from __future__ import annotations

from dataclasses import dataclass

from daemons.hub.desk import access_tokens, certs, oneself
from daemons.hub.desk.certs import PublicKeys
from daemons.hub.desk.second_factor import SecondFactor
from daemons.hub.desk.who import Caller
from daemons.hub.proof.totp import base32
from daemons.hub.rpc import convert
from daemons.hub.rpc.door import Door, unary
from mezite.api.generated import common_pb2, identity_pb2, identity_pb2_grpc
from mezite.client.access_token import AccessToken
from mezite.clock import to_us


@dataclass(slots=True)
class Identity(identity_pb2_grpc.IdentityServicer):
    door: Door
    second_factor: SecondFactor
    web_addr: str
    """Where tokens are exchanged: it travels inside a token, so that one text is enough for a script."""

    @unary
    async def WhoAmI(self, caller: Caller, request: common_pb2.Empty) -> identity_pb2.Me:
        me = await oneself.describe(self.door.desk, caller)
        return identity_pb2.Me(
            kind=caller.identity.kind.value,
            id=caller.identity.id,
            name=me.name,
            roles=[identity_pb2.RoleHeld(name=name) for name in me.roles],
            logins=me.logins,
            traits=convert.strings(me.traits),
            mfa_enrolled=me.mfa_enrolled,
            mfa=caller.identity.mfa,
            certificate_expires_us=to_us(caller.identity.expires_at),
            cluster=self.door.desk.cluster,
        )

    @unary
    async def Renew(self, caller: Caller, request: identity_pb2.RenewRequest) -> identity_pb2.Certificates:
        keys = PublicKeys(tls_spki=request.tls_public_key, ssh_line=request.ssh_public_key)
        issued = await certs.renew(self.door.desk, caller, keys, convert.seconds(request.ttl_s))
        return convert.certificates(issued, self.door.desk.keyring)

    @unary
    async def ChangePassword(
        self, caller: Caller, request: identity_pb2.ChangePasswordRequest
    ) -> common_pb2.Empty:
        await self.second_factor.change_password(caller, request.old, request.new, request.otp)
        return common_pb2.Empty()

    @unary
    async def BeginTotp(
        self, caller: Caller, request: identity_pb2.BeginTotpRequest
    ) -> identity_pb2.TotpSecret:
        secret, uri = await self.second_factor.begin(caller, request.password, request.otp)
        return identity_pb2.TotpSecret(secret=base32(secret), uri=uri)

    @unary
    async def ConfirmTotp(self, caller: Caller, request: identity_pb2.OtpCode) -> identity_pb2.RecoveryCodes:
        return identity_pb2.RecoveryCodes(codes=await self.second_factor.confirm(caller, request.otp))

    @unary
    async def RemoveTotp(self, caller: Caller, request: identity_pb2.OtpCode) -> common_pb2.Empty:
        await self.second_factor.remove(caller, request.otp)
        return common_pb2.Empty()

    @unary
    async def CreateAccessToken(
        self, caller: Caller, request: identity_pb2.CreateAccessTokenRequest
    ) -> identity_pb2.AccessTokenSecret:
        desk = self.door.desk
        token, secret = await access_tokens.create(desk, caller, convert.seconds(request.ttl_s), request.note)
        text = AccessToken(self.web_addr, desk.keyring.ca_pin, token.id, secret).text()
        return identity_pb2.AccessTokenSecret(id=token.id, token=text, expires_us=to_us(token.expires_at))

    @unary
    async def ListAccessTokens(
        self, caller: Caller, request: identity_pb2.ListAccessTokensRequest
    ) -> identity_pb2.AccessTokenList:
        rows = await access_tokens.page(self.door.desk, caller, request.user)
        return identity_pb2.AccessTokenList(
            tokens=[
                identity_pb2.AccessToken(
                    id=token.id,
                    user=user,
                    kind=token.kind.value,
                    note=token.note,
                    created_us=to_us(token.created_at),
                    expires_us=to_us(token.expires_at),
                )
                for token, user in rows
            ]
        )

    @unary
    async def RevokeAccessToken(
        self, caller: Caller, request: identity_pb2.AccessTokenId
    ) -> common_pb2.Empty:
        await access_tokens.revoke(self.door.desk, caller, request.id)
        return common_pb2.Empty()
