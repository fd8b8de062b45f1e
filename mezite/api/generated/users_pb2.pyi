from mezite.api.generated import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class User(_message.Message):
    __slots__ = ("id", "name", "kind", "roles", "logins", "traits", "created_us", "created_by", "mfa_enrolled", "enrolled", "locked", "owner")
    class TraitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _common_pb2.Strings
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_common_pb2.Strings, _Mapping]] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    LOGINS_FIELD_NUMBER: _ClassVar[int]
    TRAITS_FIELD_NUMBER: _ClassVar[int]
    CREATED_US_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    MFA_ENROLLED_FIELD_NUMBER: _ClassVar[int]
    ENROLLED_FIELD_NUMBER: _ClassVar[int]
    LOCKED_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    kind: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    logins: _containers.RepeatedScalarFieldContainer[str]
    traits: _containers.MessageMap[str, _common_pb2.Strings]
    created_us: int
    created_by: str
    mfa_enrolled: bool
    enrolled: bool
    locked: bool
    owner: str
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., kind: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ..., logins: _Optional[_Iterable[str]] = ..., traits: _Optional[_Mapping[str, _common_pb2.Strings]] = ..., created_us: _Optional[int] = ..., created_by: _Optional[str] = ..., mfa_enrolled: _Optional[bool] = ..., enrolled: _Optional[bool] = ..., locked: _Optional[bool] = ..., owner: _Optional[str] = ...) -> None: ...

class UserName(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class UserList(_message.Message):
    __slots__ = ("users", "more")
    USERS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    users: _containers.RepeatedCompositeFieldContainer[User]
    more: bool
    def __init__(self, users: _Optional[_Iterable[_Union[User, _Mapping]]] = ..., more: _Optional[bool] = ...) -> None: ...

class CreateUserRequest(_message.Message):
    __slots__ = ("name", "kind", "roles", "logins", "traits", "password", "owner")
    class TraitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _common_pb2.Strings
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_common_pb2.Strings, _Mapping]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    LOGINS_FIELD_NUMBER: _ClassVar[int]
    TRAITS_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    logins: _containers.RepeatedScalarFieldContainer[str]
    traits: _containers.MessageMap[str, _common_pb2.Strings]
    password: str
    owner: str
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ..., logins: _Optional[_Iterable[str]] = ..., traits: _Optional[_Mapping[str, _common_pb2.Strings]] = ..., password: _Optional[str] = ..., owner: _Optional[str] = ...) -> None: ...

class UserWithEnrolment(_message.Message):
    __slots__ = ("user", "enrolment_token", "enrolment_expires_us")
    USER_FIELD_NUMBER: _ClassVar[int]
    ENROLMENT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ENROLMENT_EXPIRES_US_FIELD_NUMBER: _ClassVar[int]
    user: User
    enrolment_token: str
    enrolment_expires_us: int
    def __init__(self, user: _Optional[_Union[User, _Mapping]] = ..., enrolment_token: _Optional[str] = ..., enrolment_expires_us: _Optional[int] = ...) -> None: ...

class UpdateUserRequest(_message.Message):
    __slots__ = ("name", "add_roles", "remove_roles", "set_traits", "set_logins")
    class SetTraitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _common_pb2.Strings
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_common_pb2.Strings, _Mapping]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADD_ROLES_FIELD_NUMBER: _ClassVar[int]
    REMOVE_ROLES_FIELD_NUMBER: _ClassVar[int]
    SET_TRAITS_FIELD_NUMBER: _ClassVar[int]
    SET_LOGINS_FIELD_NUMBER: _ClassVar[int]
    name: str
    add_roles: _containers.RepeatedScalarFieldContainer[str]
    remove_roles: _containers.RepeatedScalarFieldContainer[str]
    set_traits: _containers.MessageMap[str, _common_pb2.Strings]
    set_logins: _common_pb2.Strings
    def __init__(self, name: _Optional[str] = ..., add_roles: _Optional[_Iterable[str]] = ..., remove_roles: _Optional[_Iterable[str]] = ..., set_traits: _Optional[_Mapping[str, _common_pb2.Strings]] = ..., set_logins: _Optional[_Union[_common_pb2.Strings, _Mapping]] = ...) -> None: ...

class ResetUserRequest(_message.Message):
    __slots__ = ("name", "mfa")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MFA_FIELD_NUMBER: _ClassVar[int]
    name: str
    mfa: bool
    def __init__(self, name: _Optional[str] = ..., mfa: _Optional[bool] = ...) -> None: ...
