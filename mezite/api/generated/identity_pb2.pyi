from mezite.api.generated import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Me(_message.Message):
    __slots__ = ("kind", "id", "name", "roles", "logins", "traits", "mfa_enrolled", "mfa", "certificate_expires_us", "cluster")
    class TraitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _common_pb2.Strings
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_common_pb2.Strings, _Mapping]] = ...) -> None: ...
    KIND_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    LOGINS_FIELD_NUMBER: _ClassVar[int]
    TRAITS_FIELD_NUMBER: _ClassVar[int]
    MFA_ENROLLED_FIELD_NUMBER: _ClassVar[int]
    MFA_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_EXPIRES_US_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    kind: str
    id: str
    name: str
    roles: _containers.RepeatedCompositeFieldContainer[RoleHeld]
    logins: _containers.RepeatedScalarFieldContainer[str]
    traits: _containers.MessageMap[str, _common_pb2.Strings]
    mfa_enrolled: bool
    mfa: bool
    certificate_expires_us: int
    cluster: str
    def __init__(self, kind: _Optional[str] = ..., id: _Optional[str] = ..., name: _Optional[str] = ..., roles: _Optional[_Iterable[_Union[RoleHeld, _Mapping]]] = ..., logins: _Optional[_Iterable[str]] = ..., traits: _Optional[_Mapping[str, _common_pb2.Strings]] = ..., mfa_enrolled: _Optional[bool] = ..., mfa: _Optional[bool] = ..., certificate_expires_us: _Optional[int] = ..., cluster: _Optional[str] = ...) -> None: ...

class RoleHeld(_message.Message):
    __slots__ = ("name", "expires_us", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_US_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    expires_us: int
    request_id: str
    def __init__(self, name: _Optional[str] = ..., expires_us: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class RenewRequest(_message.Message):
    __slots__ = ("ssh_public_key", "tls_public_key", "ttl_s")
    SSH_PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    TLS_PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    TTL_S_FIELD_NUMBER: _ClassVar[int]
    ssh_public_key: str
    tls_public_key: bytes
    ttl_s: int
    def __init__(self, ssh_public_key: _Optional[str] = ..., tls_public_key: _Optional[bytes] = ..., ttl_s: _Optional[int] = ...) -> None: ...

class Certificates(_message.Message):
    __slots__ = ("ssh_certificate", "tls_certificate", "host_authorities", "tls_authorities", "expires_us", "user", "roles", "logins", "cluster")
    SSH_CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    TLS_CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    HOST_AUTHORITIES_FIELD_NUMBER: _ClassVar[int]
    TLS_AUTHORITIES_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_US_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    LOGINS_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    ssh_certificate: str
    tls_certificate: str
    host_authorities: _containers.RepeatedScalarFieldContainer[str]
    tls_authorities: str
    expires_us: int
    user: str
    roles: _containers.RepeatedCompositeFieldContainer[RoleHeld]
    logins: _containers.RepeatedScalarFieldContainer[str]
    cluster: str
    def __init__(self, ssh_certificate: _Optional[str] = ..., tls_certificate: _Optional[str] = ..., host_authorities: _Optional[_Iterable[str]] = ..., tls_authorities: _Optional[str] = ..., expires_us: _Optional[int] = ..., user: _Optional[str] = ..., roles: _Optional[_Iterable[_Union[RoleHeld, _Mapping]]] = ..., logins: _Optional[_Iterable[str]] = ..., cluster: _Optional[str] = ...) -> None: ...

class ChangePasswordRequest(_message.Message):
    __slots__ = ("old", "new", "otp")
    OLD_FIELD_NUMBER: _ClassVar[int]
    NEW_FIELD_NUMBER: _ClassVar[int]
    OTP_FIELD_NUMBER: _ClassVar[int]
    old: str
    new: str
    otp: str
    def __init__(self, old: _Optional[str] = ..., new: _Optional[str] = ..., otp: _Optional[str] = ...) -> None: ...

class BeginTotpRequest(_message.Message):
    __slots__ = ("password", "otp")
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    OTP_FIELD_NUMBER: _ClassVar[int]
    password: str
    otp: str
    def __init__(self, password: _Optional[str] = ..., otp: _Optional[str] = ...) -> None: ...

class TotpSecret(_message.Message):
    __slots__ = ("secret", "uri")
    SECRET_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    secret: str
    uri: str
    def __init__(self, secret: _Optional[str] = ..., uri: _Optional[str] = ...) -> None: ...

class OtpCode(_message.Message):
    __slots__ = ("otp",)
    OTP_FIELD_NUMBER: _ClassVar[int]
    otp: str
    def __init__(self, otp: _Optional[str] = ...) -> None: ...

class RecoveryCodes(_message.Message):
    __slots__ = ("codes",)
    CODES_FIELD_NUMBER: _ClassVar[int]
    codes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, codes: _Optional[_Iterable[str]] = ...) -> None: ...

class CreateAccessTokenRequest(_message.Message):
    __slots__ = ("ttl_s", "note")
    TTL_S_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    ttl_s: int
    note: str
    def __init__(self, ttl_s: _Optional[int] = ..., note: _Optional[str] = ...) -> None: ...

class AccessTokenSecret(_message.Message):
    __slots__ = ("id", "token", "expires_us")
    ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_US_FIELD_NUMBER: _ClassVar[int]
    id: str
    token: str
    expires_us: int
    def __init__(self, id: _Optional[str] = ..., token: _Optional[str] = ..., expires_us: _Optional[int] = ...) -> None: ...

class ListAccessTokensRequest(_message.Message):
    __slots__ = ("user",)
    USER_FIELD_NUMBER: _ClassVar[int]
    user: str
    def __init__(self, user: _Optional[str] = ...) -> None: ...

class AccessTokenList(_message.Message):
    __slots__ = ("tokens",)
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedCompositeFieldContainer[AccessToken]
    def __init__(self, tokens: _Optional[_Iterable[_Union[AccessToken, _Mapping]]] = ...) -> None: ...

class AccessToken(_message.Message):
    __slots__ = ("id", "user", "kind", "note", "created_us", "expires_us")
    ID_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    CREATED_US_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_US_FIELD_NUMBER: _ClassVar[int]
    id: str
    user: str
    kind: str
    note: str
    created_us: int
    expires_us: int
    def __init__(self, id: _Optional[str] = ..., user: _Optional[str] = ..., kind: _Optional[str] = ..., note: _Optional[str] = ..., created_us: _Optional[int] = ..., expires_us: _Optional[int] = ...) -> None: ...

class AccessTokenId(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...
