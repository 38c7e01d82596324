"""No answer and no exception makes its classification raise."""

import json

import pytest
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from hypothesis import given
from hypothesis import strategies as st

from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.errors import classify, classify_answer
from secure_redis.azure.core.failures import Failure, Source

WORDS = st.sampled_from(["error", "code", "message", "innererror", "additionalInfo", "info", "error_description", "x"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
DOCUMENTS = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4))
CODES = st.sampled_from(["RequestDisallowedByPolicy", "LinkedAuthorizationFailed", "AuthorizationFailed", "Forbidden"])
BODIES = (
    st.text(max_size=60)
    | DOCUMENTS.map(json.dumps)
    | st.builds(
        lambda code, rest: json.dumps({"error": {**(rest if isinstance(rest, dict) else {}), "code": code}}),
        CODES,
        DOCUMENTS,
    )
)
HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "retry-after-ms", "x-ms-retry-after-ms", "Date"]), st.text(max_size=40)
)


@given(st.integers(100, 999), HEADERS, BODIES, st.sampled_from(Source))
def test_any_answer_is_classified(status: int, headers: dict[str, str], body: str, source: Source) -> None:
    failure = classify_answer(status, headers, body, source)
    assert isinstance(failure, Failure)
    assert failure.reason is not Reason.INTERNAL_ERROR, failure.message  # nothing was left to the last resort
    assert len(failure.message) < 3000


class Unreadable(Exception):
    def __str__(self) -> str:
        raise OverflowError


class Odd:
    """An answer whose every part raises, each something else."""

    status_code = 400
    reason = "x"

    @property
    def headers(self) -> dict[str, str]:
        raise LookupError

    def text(self) -> str:
        raise MemoryError


def _unreadable() -> AzureError:
    error = ClientAuthenticationError(message="x")
    error.message = Unreadable()  # type: ignore[assignment]
    return error


EXCEPTIONS: list[BaseException] = [
    HttpResponseError(response=Odd()),  # type: ignore[arg-type]
    _unreadable(),
    Unreadable(),
    RecursionError(),
    MemoryError(),
    OverflowError(),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"),
    ExceptionGroup("x", [Unreadable()]),
]


@pytest.mark.parametrize("error", EXCEPTIONS, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("source", Source)
def test_any_exception_is_classified(error: BaseException, source: Source) -> None:
    assert isinstance(classify(error, source), Failure)
