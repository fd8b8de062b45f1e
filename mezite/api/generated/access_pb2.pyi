from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExplainRequest(_message.Message):
    __slots__ = ("user", "action", "login", "node", "as_if_roles")
    USER_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    LOGIN_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    AS_IF_ROLES_FIELD_NUMBER: _ClassVar[int]
    user: str
    action: str
    login: str
    node: str
    as_if_roles: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, user: _Optional[str] = ..., action: _Optional[str] = ..., login: _Optional[str] = ..., node: _Optional[str] = ..., as_if_roles: _Optional[_Iterable[str]] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("allowed", "clauses", "decided_by")
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    CLAUSES_FIELD_NUMBER: _ClassVar[int]
    DECIDED_BY_FIELD_NUMBER: _ClassVar[int]
    allowed: bool
    clauses: _containers.RepeatedCompositeFieldContainer[Clause]
    decided_by: str
    def __init__(self, allowed: _Optional[bool] = ..., clauses: _Optional[_Iterable[_Union[Clause, _Mapping]]] = ..., decided_by: _Optional[str] = ...) -> None: ...

class Clause(_message.Message):
    __slots__ = ("role", "rule", "verdict", "reason")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    role: str
    rule: str
    verdict: str
    reason: str
    def __init__(self, role: _Optional[str] = ..., rule: _Optional[str] = ..., verdict: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...
