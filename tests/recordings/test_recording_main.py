"""The command line: exit statuses, both formats, and no text from a file reaching a terminal raw."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from recordings.__main__ import main
from recordings.chain import Signer
from recordings.keys import ContentKey, dump_private_key
from recordings.scan import walk
from recordings.seal import Sealer
from recordings.source import BytesSource
from tests.support.recordings import EXIT, Chunks, Workshop


@pytest.fixture
def file(shop: Workshop, story: Chunks, tmp_path: Path) -> Path:
    path = tmp_path / "session.mzr"
    path.write_bytes(shop.write(story))
    return path


def test_an_intact_file_is_zero(file: Path, shop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    keys = file.with_suffix(".pem")
    keys.write_bytes(dump_private_key(shop.cluster_key))
    assert main(["verify", str(file), "--keys", str(keys)]) == 0
    out = capsys.readouterr().out
    assert "verdict    intact" in out
    assert "contents   holds" in out
    assert "trust      not checked" in out


def test_a_damaged_file_is_one_and_says_where(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)
    assert main(["verify", str(file), "--format", "json"]) == 1
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["verdict"] == "altered"
    assert verdict["findings"][0]["offset"] > 8
    assert verdict["levels"]["chain"] == "fails"


def test_a_receipt_and_a_closer_are_taken(
    shop: Workshop, story: Chunks, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "live.mzr"
    path.write_bytes(shop.write(story, ending=None))
    last = walk(BytesSource(path.read_bytes())).chain.link.hex()
    assert main(["verify", str(path), "--receipt", f"{path.stat().st_size}:{last}", "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["levels"]["receipt"] == "holds"


@pytest.mark.parametrize("receipt", ["", "12", "x:" + "0" * 64, "12:" + "g" * 64, "12:00"])
def test_a_wrong_receipt_is_wrong_usage(file: Path, receipt: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["verify", str(file), "--receipt", receipt])
    assert caught.value.code == 2


def test_files_that_cannot_be_used_are_one_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(file.with_name("none.mzr"))]) == 5
    assert main(["verify", str(file), "--keys", str(file)]) == 1
    assert main(["verify", str(file), "--ca", str(file)]) == 1
    assert main(["verify", str(file.parent)]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == err.count("error: ") == 4


def test_names_from_the_file_cannot_act_on_the_terminal(
    shop: Workshop, story: Chunks, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    signer: Signer = shop.node
    header = replace(
        shop.header(signer=signer), user="\x1b]0;pwned\x07", node="\u202eevil", session="a\nverdict intact"
    )
    sealer = Sealer(header, ContentKey(b"\x01" * 32), signer)
    path = tmp_path / "hostile.mzr"
    path.write_bytes(sealer.opening + b"".join(map(sealer.chunk, story)) + sealer.close(EXIT))
    for form in ("text", "json"):
        main(["verify", str(path), "--format", form])
        out = capsys.readouterr().out
        assert out.isascii()
        assert "\x1b" not in out
        assert "\nverdict intact" not in out


def test_it_runs_as_a_module_and_importing_the_package_loads_nothing(file: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "recordings", "verify", file], capture_output=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    heavy = {"asyncio", "cryptography", "pyte", "zstandard"}
    code = f"import sys, recordings; print(sorted({heavy} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert loaded.stdout == b"[]\n"
