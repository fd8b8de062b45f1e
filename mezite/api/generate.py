"""Makes `mezite/api/generated/` from `mezite/api/proto/`: `make proto`. A test holds the two together."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
PROTO = HERE / "proto"


def generate(out: Path) -> None:
    """Writes the generated tree below `out`, which stands for the folder that holds the package `mezite`."""
    from grpc_tools import protoc

    files = [f"mezite/api/generated/{path.name}" for path in sorted(PROTO.glob("*.proto"))]
    arguments = [
        f"-Imezite/api/generated={PROTO}",
        f"--python_out={out}",
        f"--pyi_out={out}",
        f"--grpc_python_out={out}",
    ]
    if protoc.main(["protoc", *arguments, *files]) != 0:
        raise SystemExit("protoc failed; its complaint is above")
    (out / "mezite/api/generated/__init__.py").write_text(
        '"""Made by mezite/api/generate.py; never edited."""\n'
    )


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parents[1])
