"""The table of calls and the proto files say the same."""

from __future__ import annotations

import importlib
import pkgutil

from google.protobuf.descriptor import MethodDescriptor

import mezite.api.generated as generated
from mezite.client import methods
from mezite.client.methods import Method, Stream

TABLE = {name: value for name, value in vars(methods).items() if isinstance(value, (Method, Stream))}


def described() -> dict[str, MethodDescriptor]:
    """Every call in the proto files of the API, by its path."""
    found = {}
    for module in pkgutil.iter_modules(generated.__path__):
        if not module.name.endswith("_pb2"):
            continue
        file = importlib.import_module(f"mezite.api.generated.{module.name}").DESCRIPTOR
        for service in file.services_by_name.values():
            for method in service.methods:
                found[f"/{service.full_name}/{method.name}"] = method
    return found


def test_every_call_is_in_the_table_once() -> None:
    assert sorted(entry.path for entry in TABLE.values()) == sorted(described())


def test_each_has_its_types_and_its_kind() -> None:
    calls = described()
    for name, entry in TABLE.items():
        call = calls[entry.path]
        assert entry.asks.DESCRIPTOR.full_name == call.input_type.full_name, name
        assert entry.answers.DESCRIPTOR.full_name == call.output_type.full_name, name
        assert isinstance(entry, Stream) == call.server_streaming, name
        assert not call.client_streaming, name
