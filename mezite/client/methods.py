"""Every call of the API with its types, for programs that wait (`hub`) and programs that stay (`watch`).

A test holds this table and the proto files together: no call is missing, none has the wrong types.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from google.protobuf.message import Message

from mezite.api.generated import (
    access_pb2,
    audit_pb2,
    authorities_pb2,
    common_pb2,
    feed_pb2,
    identity_pb2,
    locks_pb2,
    nodes_pb2,
    roles_pb2,
    status_pb2,
    users_pb2,
)

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)


@dataclass(frozen=True, slots=True)
class Method(Generic[Q, A]):
    """One question, one answer."""

    path: str
    asks: type[Q]
    answers: type[A]


@dataclass(frozen=True, slots=True)
class Stream(Generic[Q, A]):
    """One question, answers until either side ends it."""

    path: str
    asks: type[Q]
    answers: type[A]


_P: Final = "/mezite.v1."
_Empty = common_pb2.Empty

ACCESS_EXPLAIN: Final = Method(_P + "Access/Explain", access_pb2.ExplainRequest, access_pb2.Explanation)

AUDIT_LIST: Final = Method(_P + "Audit/List", audit_pb2.ListEventsRequest, audit_pb2.EventList)
AUDIT_TAIL: Final = Stream(_P + "Audit/Tail", audit_pb2.TailEventsRequest, audit_pb2.Event)
AUDIT_EXPORT: Final = Stream(_P + "Audit/Export", audit_pb2.ExportEventsRequest, audit_pb2.Link)
AUDIT_VERIFY: Final = Method(_P + "Audit/Verify", audit_pb2.VerifyRequest, audit_pb2.Verdict)
AUDIT_HEAD: Final = Method(_P + "Audit/Head", _Empty, audit_pb2.HeadText)

AUTHORITIES_EXPORT: Final = Method(
    _P + "Authorities/Export", authorities_pb2.ExportAuthorityRequest, authorities_pb2.AuthorityPublic
)
AUTHORITIES_SIGN: Final = Method(
    _P + "Authorities/Sign", authorities_pb2.SignRequest, authorities_pb2.SignedCertificates
)

FEED_WATCH: Final = Stream(_P + "Feed/Watch", feed_pb2.WatchRequest, feed_pb2.FeedLine)

IDENTITY_WHO_AM_I: Final = Method(_P + "Identity/WhoAmI", _Empty, identity_pb2.Me)
IDENTITY_RENEW: Final = Method(_P + "Identity/Renew", identity_pb2.RenewRequest, identity_pb2.Certificates)
IDENTITY_CHANGE_PASSWORD: Final = Method(
    _P + "Identity/ChangePassword", identity_pb2.ChangePasswordRequest, _Empty
)
IDENTITY_BEGIN_TOTP: Final = Method(
    _P + "Identity/BeginTotp", identity_pb2.BeginTotpRequest, identity_pb2.TotpSecret
)
IDENTITY_CONFIRM_TOTP: Final = Method(
    _P + "Identity/ConfirmTotp", identity_pb2.OtpCode, identity_pb2.RecoveryCodes
)
IDENTITY_REMOVE_TOTP: Final = Method(_P + "Identity/RemoveTotp", identity_pb2.OtpCode, _Empty)
IDENTITY_CREATE_ACCESS_TOKEN: Final = Method(
    _P + "Identity/CreateAccessToken", identity_pb2.CreateAccessTokenRequest, identity_pb2.AccessTokenSecret
)
IDENTITY_LIST_ACCESS_TOKENS: Final = Method(
    _P + "Identity/ListAccessTokens", identity_pb2.ListAccessTokensRequest, identity_pb2.AccessTokenList
)
IDENTITY_REVOKE_ACCESS_TOKEN: Final = Method(
    _P + "Identity/RevokeAccessToken", identity_pb2.AccessTokenId, _Empty
)

LOCKS_CREATE: Final = Method(_P + "Locks/Create", locks_pb2.CreateLockRequest, locks_pb2.Lock)
LOCKS_LIST: Final = Method(_P + "Locks/List", common_pb2.Page, locks_pb2.LockList)
LOCKS_DELETE: Final = Method(_P + "Locks/Delete", locks_pb2.LockId, _Empty)

NODES_LIST: Final = Method(_P + "Nodes/List", nodes_pb2.ListNodesRequest, nodes_pb2.NodeList)
NODES_GET: Final = Method(_P + "Nodes/Get", nodes_pb2.NodeName, nodes_pb2.Node)
NODES_REMOVE: Final = Method(_P + "Nodes/Remove", nodes_pb2.NodeName, _Empty)

ROLES_PUT: Final = Method(_P + "Roles/Put", roles_pb2.PutRolesRequest, roles_pb2.RoleList)
ROLES_GET: Final = Method(_P + "Roles/Get", roles_pb2.RoleName, roles_pb2.Role)
ROLES_LIST: Final = Method(_P + "Roles/List", common_pb2.Page, roles_pb2.RoleList)
ROLES_DELETE: Final = Method(_P + "Roles/Delete", roles_pb2.RoleName, _Empty)

STATUS_GET: Final = Method(_P + "Status/Get", _Empty, status_pb2.ClusterStatus)

TOKENS_CREATE: Final = Method(_P + "Tokens/Create", nodes_pb2.CreateTokenRequest, nodes_pb2.TokenSecret)
TOKENS_LIST: Final = Method(_P + "Tokens/List", common_pb2.Page, nodes_pb2.TokenList)
TOKENS_DELETE: Final = Method(_P + "Tokens/Delete", nodes_pb2.TokenId, _Empty)

USERS_CREATE: Final = Method(_P + "Users/Create", users_pb2.CreateUserRequest, users_pb2.UserWithEnrolment)
USERS_GET: Final = Method(_P + "Users/Get", users_pb2.UserName, users_pb2.User)
USERS_LIST: Final = Method(_P + "Users/List", common_pb2.Page, users_pb2.UserList)
USERS_UPDATE: Final = Method(_P + "Users/Update", users_pb2.UpdateUserRequest, users_pb2.User)
USERS_DELETE: Final = Method(_P + "Users/Delete", users_pb2.UserName, _Empty)
USERS_RESET: Final = Method(_P + "Users/Reset", users_pb2.ResetUserRequest, users_pb2.UserWithEnrolment)
