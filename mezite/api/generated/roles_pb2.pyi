from mezite.api.generated import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RoleName(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class Role(_message.Message):
    __slots__ = ("name", "description", "document", "builtin", "revision")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    BUILTIN_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    document: str
    builtin: bool
    revision: int
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., document: _Optional[str] = ..., builtin: _Optional[bool] = ..., revision: _Optional[int] = ...) -> None: ...

class RoleList(_message.Message):
    __slots__ = ("roles", "more")
    ROLES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    roles: _containers.RepeatedCompositeFieldContainer[Role]
    more: bool
    def __init__(self, roles: _Optional[_Iterable[_Union[Role, _Mapping]]] = ..., more: _Optional[bool] = ...) -> None: ...

class PutRolesRequest(_message.Message):
    __slots__ = ("text", "replace")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    text: str
    replace: bool
    def __init__(self, text: _Optional[str] = ..., replace: _Optional[bool] = ...) -> None: ...
