import pytest

from secure_redis.azure.core.error_text import (
    LONGEST,
    clean,
    error_body,
    inner_code,
)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (
            (
                "The setting 'maxmemory-reserved' is not allowed on 'Basic' cache instances.\r\n"
                "RequestID=0f8fad5b-d9cb-469f-a165-70867728950e"
            ),
            "The setting 'maxmemory-reserved' is not allowed on 'Basic' cache instances",
        ),
        (
            "It failed. CorrelationID=0f8fad5b-d9cb-469f-a165-70867728950e",
            "It failed",
        ),
        (
            (
                "AADSTS700213: No match. Trace ID: 0f8fad5b-d9cb-469f-a165-70867728950e "
                "Correlation ID: 1f8fad5b-d9cb-469f-a165-70867728950e Timestamp: 2026-11-24 10:00:00Z"
            ),
            "AADSTS700213: No match",
        ),
        (
            "Internal error (tracking id is '0f8fad5b-d9cb-469f-a165-70867728950e').",
            "Internal error",
        ),
        ("see https://aka.ms/x?sig=abc&t=1 now", "see https://aka.ms/x now"),
        (
            (
                "The client '0f8fad5b-d9cb-469f-a165-70867728950e' lacks it over scope "
                "'/subscriptions/1f8fad5b-d9cb-469f-a165-70867728950e'"
            ),
            (
                "The client '0f8fad5b-d9cb-469f-a165-70867728950e' lacks it over scope "
                "'/subscriptions/1f8fad5b-d9cb-469f-a165-70867728950e'"
            ),
        ),
        ("AccountName=x;AccountKey=abc123==;", "AccountName=x;AccountKey=[redacted]"),
        ("key JhY0Ew1zq7p3nUuYv5WqvX6hTg2m8BfRkAzCaLs0x9c= end", "key [redacted] end"),
        ("token eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2ln end", "token [redacted] end"),
    ],
)
def test_a_text_is_stable_and_without_secrets(said: str, kept: str) -> None:
    assert clean(said) == kept


def test_a_long_text_is_cut() -> None:
    assert len(clean("word " * 1000)) <= LONGEST


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ('{"error": {"code": "A", "message": "b"}}', "A", "b"),
        ('{"code": "A", "message": "b"}', "A", "b"),
        ('{"error": "invalid_client", "error_description": "AADSTS1: x"}', "invalid_client", "AADSTS1: x"),
        ("<html>", "", ""),
        ('{"error": {"code": "A"', "", ""),
        ("[1]", "", ""),
        ('{"error": [1]}', "", ""),
        ("", "", ""),
        (None, "", ""),
    ],
)
def test_error_bodies_of_every_form(text: str | None, code: str, message: str) -> None:
    assert error_body(text)[:2] == (code, message)


def test_the_innermost_code_counts() -> None:
    assert inner_code({"innererror": {"code": "A", "innererror": {"code": "B"}}}) == "B"
    assert inner_code({"innererror": "text"}) == ""
