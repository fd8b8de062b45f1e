"""Questions to the hub: answered, unanswered, answered twice, and asked while the hub is away."""

from __future__ import annotations

import asyncio

import pytest

from daemons.agent import asking
from daemons.agent.asking import Questions
from mezite.api.tunnel.orders import Answer, Ask, Asked

ID = "4b5a6d8e-0000-4000-8000-000000000001"


async def ask(questions: Questions) -> Answer:
    return await questions.ask(ID, Asked.SESSION, "shell", "root")


async def test_an_answer_finds_its_question() -> None:
    questions, asked = Questions(), list[Ask]()
    questions.line_is(asked.append)
    async with asyncio.TaskGroup() as group:
        first, second = group.create_task(ask(questions)), group.create_task(ask(questions))
        await asyncio.sleep(0)
        for each in reversed(asked):
            questions.heard(Answer(number=each.number, allowed=each.number == 1))
            questions.heard(Answer(number=each.number, allowed=True))
        questions.heard(Answer(number=99, allowed=True))
    assert (first.result().allowed, second.result().allowed) == (True, False)


async def test_no_line_is_a_no_at_once() -> None:
    answer = await ask(Questions())
    assert not answer.allowed
    assert "cannot be reached" in answer.message


async def test_a_line_that_breaks_is_a_no_for_whoever_waits() -> None:
    questions = Questions()
    questions.line_is(lambda _ask: None)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(ask(questions))
        await asyncio.sleep(0)
        questions.line_is(None)
    assert not waiting.result().allowed


async def test_no_answer_in_time_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE_S", 0.01)
    questions = Questions()
    questions.line_is(lambda _ask: None)
    answer = await ask(questions)
    assert not answer.allowed
    assert "no answer in time" in answer.message


async def test_a_late_answer_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE_S", 0.01)
    questions, asked = Questions(), list[Ask]()
    questions.line_is(asked.append)
    await ask(questions)
    questions.heard(Answer(number=asked[0].number, allowed=True))
    assert not (await ask(questions)).allowed


async def test_too_many_at_once_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MAX_OPEN", 0)
    questions = Questions()
    questions.line_is(lambda _ask: None)
    assert not (await ask(questions)).allowed
