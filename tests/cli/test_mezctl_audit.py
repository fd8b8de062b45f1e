"""The log at the prompt: listed, followed, taken away, and judged with and without a hub."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.hub_process import Prompt, RunningHub, environment, program


def test_events_are_listed_oldest_first_in_the_documented_columns(admin: Prompt) -> None:
    table = admin.mezctl("audit", "ls", "--last=1h").out.splitlines()
    assert table[0].split() == ["TIME", "TYPE", "USER", "DETAILS"]
    times = [line.split()[0] for line in table[1:]]
    assert times == sorted(times)
    assert any(" user.login " in line for line in table)


def test_filters_narrow_what_is_listed(admin: Prompt, casey: str) -> None:
    found = admin.mezctl(
        "audit", "ls", "--type=user.created,user.login", "--format=json", "--limit=1000"
    ).json
    assert {event["type"] for event in found} == {"user.created", "user.login"}
    mine = admin.mezctl("audit", "ls", "--user=admin", "--format=json", "--limit=1000").json
    assert {event["user"] for event in mine} == {"admin"}
    assert admin.mezctl("audit", "ls", "--until=2020-01-01", "--format=json").json == []
    assert admin.mezctl("audit", "ls", "--since=2999-01-01T00:00:00Z", "--format=json").json == []
    assert (
        admin.mezctl("audit", "ls", "--node=none", "--request=req_1", "--session=x", "--format=json").json
        == []
    )


def test_a_limit_says_that_there_is_more(admin: Prompt) -> None:
    outcome = admin.mezctl("audit", "ls", "--limit=2", "--format=json")
    assert len(outcome.json) == 2
    assert "--limit" in outcome.err


@pytest.mark.parametrize(
    "wrong",
    [
        ("--last=soon",),
        ("--since=yesterday",),
        ("--last=1h", "--since=2020-01-01"),
        ("--limit=0",),
        ("--type=nosuch.type",),
        ("--type=user.login,nosuch.*",),
    ],
)
def test_filters_that_make_no_sense_are_usage_errors(admin: Prompt, wrong: tuple[str, ...]) -> None:
    outcome = admin.mezctl("audit", "ls", *wrong)
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1


def test_tail_shows_the_newest(admin: Prompt) -> None:
    lines = admin.mezctl("audit", "tail", "-n", "2", "--format=json").out.splitlines()
    listed = admin.mezctl("audit", "ls", "--limit=1000", "--format=json").json
    assert [json.loads(line)["seq"] for line in lines] == [event["seq"] for event in listed[-2:]]


def test_tail_follows_without_gap_or_double(admin: Prompt, name: str) -> None:
    command = [
        *program("mezctl"), "audit", "tail", "-f", "-n", "1", "--format=json",
        "--type=user.created,user.deleted",
    ]  # fmt: skip
    admin.mezctl("users", "create", f"{name}-before")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(admin.home)) as tail:
        assert tail.stdout is not None
        first = json.loads(tail.stdout.readline())
        assert first["resource"] == f"{name}-before"
        for number in range(3):
            admin.mezctl("users", "create", f"{name}-{number}")
        followed = [json.loads(tail.stdout.readline())["resource"] for _ in range(3)]
        tail.terminate()
    assert followed == [f"{name}-{number}" for number in range(3)]


def test_the_hub_judges_its_own_log(admin: Prompt, hub: RunningHub) -> None:
    verdict = admin.mezctl("audit", "verify", "--format=json")
    assert verdict.code == 0
    assert verdict.json["sound"] is True
    head = verdict.json["head"]
    assert head.startswith("mezite-head:")
    assert admin.mezctl("audit", "verify", f"--head={head}").out.startswith("Sound: ")
    assert admin.mezctl("audit", "verify", f"--heads={hub.data_dir / 'audit-heads.log'}").code == 0
    assert admin.mezctl("audit", "verify", "--head=mezite-head:x").code == 2


def test_a_head_of_another_history_is_found(admin: Prompt) -> None:
    head = admin.mezctl("audit", "verify", "--format=json").json["head"].split(":")
    unsigned = ":".join(["mezite-head", "1", "00" * 32, head[3], "", ""])
    outcome = admin.mezctl("audit", "verify", f"--head={unsigned}")
    assert outcome.code == 1
    assert "rewritten" in outcome.out
    assert "NOT SOUND" in outcome.out


@pytest.fixture
def exported(admin: Prompt, tmp_path: Path) -> tuple[Path, Path]:
    """An exported log with a signed head at its end, and the key that signed it."""
    admin.mezctl("audit", "verify")  # signs the end
    log, key = tmp_path / "log.jsonl", tmp_path / "audit.pub"
    assert admin.mezctl("audit", "export", f"--out={log}").code == 0
    key.write_text(admin.mezctl("auth", "export", "--type=audit").out)
    return log, key


def test_an_exported_log_is_judged_without_a_hub(
    prompt: Prompt, exported: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log, key = exported
    monkeypatch.setenv("MEZITE_HOME", str(tmp_path / "nobody"))
    verdict = prompt.mezctl("audit", "verify", f"--file={log}", f"--key={key}", "--format=json")
    assert verdict.code == 0
    assert verdict.json["events"] == sum('"seq"' in line for line in log.read_text().splitlines())
    assert verdict.json["vouched_to"] > 0


@pytest.mark.parametrize("fault", ["edited", "deleted", "reordered", "duplicate", "truncated", "forged_head"])
def test_each_act_on_an_exported_log_is_found(
    prompt: Prompt, exported: tuple[Path, Path], fault: str
) -> None:
    log, key = exported
    lines = log.read_text().splitlines()
    match fault:
        case "edited":
            lines[3] = lines[3].replace("system", "sistem")
        case "deleted":
            del lines[3]
        case "reordered":
            lines[2], lines[3] = lines[3], lines[2]
        case "duplicate":
            lines.insert(3, lines[2])
        case "truncated":
            events = [line for line in lines if '"seq"' in line]
            lines = events[:3] + [line for line in lines if '"head"' in line]
        case "forged_head":
            lines[-1] = lines[-1][:-10] + "AAAAAAAA" + lines[-1][-2:]
    log.write_text("\n".join(lines) + "\n")
    outcome = prompt.mezctl("audit", "verify", f"--file={log}", f"--key={key}", "--format=json")
    assert outcome.code == 1
    assert fault in {finding["kind"] for finding in outcome.json["findings"]}


@pytest.mark.parametrize(
    "content", ["", "x\n", "{}\n", "[1]\n", '{"seq": 0, "hash": "", "body": ""}\n', "\x00\xff"]
)
def test_what_is_no_exported_log_is_one_line(
    prompt: Prompt, exported: tuple[Path, Path], tmp_path: Path, content: str
) -> None:
    path = tmp_path / "other"
    path.write_text(content)
    outcome = prompt.mezctl("audit", "verify", f"--file={path}", f"--key={exported[1]}")
    assert outcome.code == (2 if content else 0)
    assert len(outcome.err.splitlines()) == (1 if content else 0)


def test_files_that_are_not_there_are_one_line(prompt: Prompt, exported: tuple[Path, Path]) -> None:
    log, key = exported
    for arguments in (
        (f"--file={log}.gone", f"--key={key}"),
        (f"--file={log}", f"--key={key}.gone"),
        (f"--file={log}", f"--key={log}"),
        (f"--heads={log}.gone",),
        (f"--heads={key}",),
        (f"--key={key}",),
    ):
        outcome = prompt.mezctl("audit", "verify", *arguments)
        assert outcome.code in (1, 2), arguments
        assert len(outcome.err.splitlines()) == 1, arguments


def beyond(seq: int) -> str:
    """An unsigned head of an event that there never was."""
    return f"mezite-head:{seq}:{'0' * 64}:20260324T100000.000000Z::"


def test_a_fresh_head_comes_only_with_a_sound_log(admin: Prompt) -> None:
    assert admin.mezctl("audit", "verify", "--format=json").json["head"].startswith("mezite-head:")
    outcome = admin.mezctl("audit", "verify", f"--head={beyond(10**9)}", "--format=json")
    assert (outcome.code, outcome.json["sound"], outcome.json["head"]) == (1, False, None)


def test_more_heads_than_one_call_takes_are_all_judged(admin: Prompt, tmp_path: Path) -> None:
    log = tmp_path / "heads.log"
    log.write_text("".join(f"{beyond(10**9 + number)}\n" for number in (*range(1_001), 7)))
    outcome = admin.mezctl("audit", "verify", f"--heads={log}", "--format=json")
    assert outcome.code == 1
    assert {finding["kind"] for finding in outcome.json["findings"]} == {"truncated"}
    [fall] = [text for text in outcome.json["warnings"] if "go back" in text]
    assert fall.endswith(f"from event {10**9 + 1_000} to {10**9 + 7}")


def test_without_a_head_from_outside_the_verdict_warns(admin: Prompt, hub: RunningHub) -> None:
    heads, aside = hub.data_dir / "audit-heads.log", hub.data_dir / "aside"
    heads.rename(aside)
    try:
        outcome = admin.mezctl("audit", "verify")
    finally:
        heads.unlink(missing_ok=True)
        aside.rename(heads)
    assert outcome.code == 0
    assert "But no head outside the database was found; a cut cannot be seen." in outcome.out
