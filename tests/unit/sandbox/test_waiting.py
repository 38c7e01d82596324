import pytest

from sandbox.waiting import wait_for, wait_for_async


def test_the_first_truthy_answer_is_returned() -> None:
    answers = iter([None, [], ["pod"]])
    assert wait_for(lambda: next(answers), 10, "a pod", interval=0) == ["pod"]


def test_a_condition_that_never_becomes_true_is_named_with_the_last_answer() -> None:
    with pytest.raises(TimeoutError, match=r"waited 0 s for two pods; last answer: \[\]"):
        wait_for(list[object], 0, "two pods")


async def test_the_awaited_twin_does_the_same() -> None:
    answers = iter([0, 7])

    async def ask() -> int:
        return next(answers)

    async def never() -> None:
        return None

    assert await wait_for_async(ask, 10, "a number", interval=0) == 7
    with pytest.raises(TimeoutError, match="a number; last answer: None"):
        await wait_for_async(never, 0, "a number")


def test_an_error_of_the_condition_is_not_swallowed() -> None:
    def broken() -> bool:
        raise PermissionError("no")

    with pytest.raises(PermissionError):
        wait_for(broken, 10, "anything")
