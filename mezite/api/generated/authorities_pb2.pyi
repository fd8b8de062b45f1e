from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ExportAuthorityRequest(_message.Message):
    __slots__ = ("kind",)
    KIND_FIELD_NUMBER: _ClassVar[int]
    kind: str
    def __init__(self, kind: _Optional[str] = ...) -> None: ...

class AuthorityPublic(_message.Message):
    __slots__ = ("kind", "text", "fingerprint", "known_hosts")
    KIND_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    KNOWN_HOSTS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    text: str
    fingerprint: str
    known_hosts: str
    def __init__(self, kind: _Optional[str] = ..., text: _Optional[str] = ..., fingerprint: _Optional[str] = ..., known_hosts: _Optional[str] = ...) -> None: ...

class SignRequest(_message.Message):
    __slots__ = ("user", "ttl_s", "ssh_public_key", "tls_public_key")
    USER_FIELD_NUMBER: _ClassVar[int]
    TTL_S_FIELD_NUMBER: _ClassVar[int]
    SSH_PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    TLS_PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    user: str
    ttl_s: int
    ssh_public_key: str
    tls_public_key: bytes
    def __init__(self, user: _Optional[str] = ..., ttl_s: _Optional[int] = ..., ssh_public_key: _Optional[str] = ..., tls_public_key: _Optional[bytes] = ...) -> None: ...

class SignedCertificates(_message.Message):
    __slots__ = ("ssh_certificate", "tls_certificate", "host_authorities", "tls_authorities", "expires_us")
    SSH_CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    TLS_CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    HOST_AUTHORITIES_FIELD_NUMBER: _ClassVar[int]
    TLS_AUTHORITIES_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_US_FIELD_NUMBER: _ClassVar[int]
    ssh_certificate: str
    tls_certificate: str
    host_authorities: _containers.RepeatedScalarFieldContainer[str]
    tls_authorities: str
    expires_us: int
    def __init__(self, ssh_certificate: _Optional[str] = ..., tls_certificate: _Optional[str] = ..., host_authorities: _Optional[_Iterable[str]] = ..., tls_authorities: _Optional[str] = ..., expires_us: _Optional[int] = ...) -> None: ...
