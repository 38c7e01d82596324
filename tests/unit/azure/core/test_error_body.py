import pytest

from secure_redis.azure.core.error_body import error_body, inner_code


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
