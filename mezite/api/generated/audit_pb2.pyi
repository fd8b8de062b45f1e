from mezite.api.generated import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventFilter(_message.Message):
    __slots__ = ("types", "user", "node", "request_id", "session_id", "since_us", "until_us")
    TYPES_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SINCE_US_FIELD_NUMBER: _ClassVar[int]
    UNTIL_US_FIELD_NUMBER: _ClassVar[int]
    types: _containers.RepeatedScalarFieldContainer[str]
    user: str
    node: str
    request_id: str
    session_id: str
    since_us: int
    until_us: int
    def __init__(self, types: _Optional[_Iterable[str]] = ..., user: _Optional[str] = ..., node: _Optional[str] = ..., request_id: _Optional[str] = ..., session_id: _Optional[str] = ..., since_us: _Optional[int] = ..., until_us: _Optional[int] = ...) -> None: ...

class ListEventsRequest(_message.Message):
    __slots__ = ("filter", "limit", "before")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    filter: EventFilter
    limit: int
    before: int
    def __init__(self, filter: _Optional[_Union[EventFilter, _Mapping]] = ..., limit: _Optional[int] = ..., before: _Optional[int] = ...) -> None: ...

class TailEventsRequest(_message.Message):
    __slots__ = ("filter", "after", "from_start")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    FROM_START_FIELD_NUMBER: _ClassVar[int]
    filter: EventFilter
    after: int
    from_start: bool
    def __init__(self, filter: _Optional[_Union[EventFilter, _Mapping]] = ..., after: _Optional[int] = ..., from_start: _Optional[bool] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("seq", "body")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    seq: int
    body: str
    def __init__(self, seq: _Optional[int] = ..., body: _Optional[str] = ...) -> None: ...

class EventList(_message.Message):
    __slots__ = ("events", "more")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    more: bool
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., more: _Optional[bool] = ...) -> None: ...

class ExportEventsRequest(_message.Message):
    __slots__ = ("after",)
    AFTER_FIELD_NUMBER: _ClassVar[int]
    after: int
    def __init__(self, after: _Optional[int] = ...) -> None: ...

class Link(_message.Message):
    __slots__ = ("event", "head")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    event: ChainedEvent
    head: HeadText
    def __init__(self, event: _Optional[_Union[ChainedEvent, _Mapping]] = ..., head: _Optional[_Union[HeadText, _Mapping]] = ...) -> None: ...

class ChainedEvent(_message.Message):
    __slots__ = ("seq", "body", "hash")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    seq: int
    body: str
    hash: bytes
    def __init__(self, seq: _Optional[int] = ..., body: _Optional[str] = ..., hash: _Optional[bytes] = ...) -> None: ...

class HeadText(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class VerifyRequest(_message.Message):
    __slots__ = ("heads",)
    HEADS_FIELD_NUMBER: _ClassVar[int]
    heads: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, heads: _Optional[_Iterable[str]] = ...) -> None: ...

class Verdict(_message.Message):
    __slots__ = ("sound", "events", "findings", "head", "warnings")
    SOUND_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    sound: bool
    events: int
    findings: _containers.RepeatedCompositeFieldContainer[Finding]
    head: HeadText
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, sound: _Optional[bool] = ..., events: _Optional[int] = ..., findings: _Optional[_Iterable[_Union[Finding, _Mapping]]] = ..., head: _Optional[_Union[HeadText, _Mapping]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class Finding(_message.Message):
    __slots__ = ("kind", "seq", "what")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    kind: str
    seq: int
    what: str
    def __init__(self, kind: _Optional[str] = ..., seq: _Optional[int] = ..., what: _Optional[str] = ...) -> None: ...
