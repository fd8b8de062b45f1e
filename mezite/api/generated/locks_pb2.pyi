from mezite.api.generated import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateLockRequest(_message.Message):
    __slots__ = ("target", "name", "message", "ttl_s")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TTL_S_FIELD_NUMBER: _ClassVar[int]
    target: str
    name: str
    message: str
    ttl_s: int
    def __init__(self, target: _Optional[str] = ..., name: _Optional[str] = ..., message: _Optional[str] = ..., ttl_s: _Optional[int] = ...) -> None: ...

class Lock(_message.Message):
    __slots__ = ("id", "target", "name", "message", "created_by", "created_us", "expires_us", "in_force")
    ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    CREATED_US_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_US_FIELD_NUMBER: _ClassVar[int]
    IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    id: str
    target: str
    name: str
    message: str
    created_by: str
    created_us: int
    expires_us: int
    in_force: bool
    def __init__(self, id: _Optional[str] = ..., target: _Optional[str] = ..., name: _Optional[str] = ..., message: _Optional[str] = ..., created_by: _Optional[str] = ..., created_us: _Optional[int] = ..., expires_us: _Optional[int] = ..., in_force: _Optional[bool] = ...) -> None: ...

class LockId(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class LockList(_message.Message):
    __slots__ = ("locks", "more")
    LOCKS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    locks: _containers.RepeatedCompositeFieldContainer[Lock]
    more: bool
    def __init__(self, locks: _Optional[_Iterable[_Union[Lock, _Mapping]]] = ..., more: _Optional[bool] = ...) -> None: ...
