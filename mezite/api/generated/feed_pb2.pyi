from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WatchRequest(_message.Message):
    __slots__ = ("kinds", "after")
    KINDS_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    kinds: _containers.RepeatedScalarFieldContainer[str]
    after: int
    def __init__(self, kinds: _Optional[_Iterable[str]] = ..., after: _Optional[int] = ...) -> None: ...

class FeedLine(_message.Message):
    __slots__ = ("change", "reset", "here")
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    RESET_FIELD_NUMBER: _ClassVar[int]
    HERE_FIELD_NUMBER: _ClassVar[int]
    change: Change
    reset: Reset
    here: Here
    def __init__(self, change: _Optional[_Union[Change, _Mapping]] = ..., reset: _Optional[_Union[Reset, _Mapping]] = ..., here: _Optional[_Union[Here, _Mapping]] = ...) -> None: ...

class Change(_message.Message):
    __slots__ = ("revision", "kind", "key", "op", "time_us")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    OP_FIELD_NUMBER: _ClassVar[int]
    TIME_US_FIELD_NUMBER: _ClassVar[int]
    revision: int
    kind: str
    key: str
    op: str
    time_us: int
    def __init__(self, revision: _Optional[int] = ..., kind: _Optional[str] = ..., key: _Optional[str] = ..., op: _Optional[str] = ..., time_us: _Optional[int] = ...) -> None: ...

class Reset(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: int
    def __init__(self, revision: _Optional[int] = ...) -> None: ...

class Here(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: int
    def __init__(self, revision: _Optional[int] = ...) -> None: ...
