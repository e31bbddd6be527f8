"""A folder for one small contract: files go in, the schema or an error comes out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from codegen import ir
from codegen.errors import CodegenError
from codegen.generate import load_schema

#: A contract with two commands; the second has no reply.
DOOR = """\
syntax = "proto3";
package door.v1;
service Door {
  rpc Invoke(Request) returns (Reply);
}
message Request { Command command = 1; }
enum Kind {
  KIND_UNSPECIFIED = 0;
  KIND_OPEN = 1;
  KIND_CLOSE = 2;
}
message Command {
  Kind kind = 1;
  oneof payload {
    OpenCommand open = 2;
    CloseCommand close = 3;
  }
}
message OpenCommand {
  string name = 1;
  int32 speed = 2;
  Value value = 3;
}
message CloseCommand { string name = 1; }
message Reply {
  Kind kind = 1;
  oneof payload {
    OpenReply open = 2;
  }
}
message OpenReply { int32 handle = 1; }
message Value { string text = 1; }
"""

CONVENTIONS = """\
package = "door_contract"
[commands]
rpc = "door.v1.Door.Invoke"
request_suffix = "Command"
value_message = "door.v1.Value"
protocol = 1
max_bulk_items = 10
"""


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., ir.Schema]:
    """Loads the schema of one file, ``door.proto``, and its conventions."""

    def load(proto: str, conventions: str = "") -> ir.Schema:
        (tmp_path / "door.proto").write_text(dedent(proto), encoding="utf-8")
        (tmp_path / "conventions.toml").write_text(conventions, encoding="utf-8")
        return load_schema(tmp_path)

    return load


@pytest.fixture
def refused(load: Callable[..., ir.Schema]) -> Callable[..., CodegenError]:
    """The error that stops the build of one file and its conventions."""

    def refused(proto: str, conventions: str = "") -> CodegenError:
        with pytest.raises(CodegenError) as caught:
            load(proto, conventions)
        return caught.value

    return refused
