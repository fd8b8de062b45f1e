from mezite.api.generated import common_pb2 as _common_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ClusterStatus(_message.Message):
    __slots__ = ("cluster", "version", "hub_id", "started_us", "now_us", "users", "roles", "nodes", "nodes_online", "locks", "audit_events", "audit_head", "ca_pin", "hubs", "database")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    HUB_ID_FIELD_NUMBER: _ClassVar[int]
    STARTED_US_FIELD_NUMBER: _ClassVar[int]
    NOW_US_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    NODES_ONLINE_FIELD_NUMBER: _ClassVar[int]
    LOCKS_FIELD_NUMBER: _ClassVar[int]
    AUDIT_EVENTS_FIELD_NUMBER: _ClassVar[int]
    AUDIT_HEAD_FIELD_NUMBER: _ClassVar[int]
    CA_PIN_FIELD_NUMBER: _ClassVar[int]
    HUBS_FIELD_NUMBER: _ClassVar[int]
    DATABASE_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    version: str
    hub_id: str
    started_us: int
    now_us: int
    users: int
    roles: int
    nodes: int
    nodes_online: int
    locks: int
    audit_events: int
    audit_head: str
    ca_pin: str
    hubs: int
    database: str
    def __init__(self, cluster: _Optional[str] = ..., version: _Optional[str] = ..., hub_id: _Optional[str] = ..., started_us: _Optional[int] = ..., now_us: _Optional[int] = ..., users: _Optional[int] = ..., roles: _Optional[int] = ..., nodes: _Optional[int] = ..., nodes_online: _Optional[int] = ..., locks: _Optional[int] = ..., audit_events: _Optional[int] = ..., audit_head: _Optional[str] = ..., ca_pin: _Optional[str] = ..., hubs: _Optional[int] = ..., database: _Optional[str] = ...) -> None: ...
