"""Clean the texts of services for a status: the same on every retry, and without secrets."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from secure_redis.telemetry.redaction import MASK, redact

LONGEST: Final = 500

_CORRELATION = re.compile(
    r"[\s,;.(]*\b(?:x-ms-)?(?:client-)?(?:request|correlation|trace|activity|tracking|operation|error)[\s_-]?id"
    r"(?:\s+is)?\s*[:=]?\s*['\"]?[0-9a-z][0-9a-z.:_-]{7,}['\"]?\)?",
    re.IGNORECASE,
)
_TIMESTAMP = re.compile(
    r"[\s,;(]*(?:\btimestamp\s*[:=]\s*)?['\"]?\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?"
    r"(?:Z|[+-]\d\d:?\d\d)?['\"]?\)?",
    re.IGNORECASE,
)
_QUERY = re.compile(r"(https?://[^\s?'\"<>]+)\?[^\s'\"<>]*", re.IGNORECASE)
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,2}")
_KEY_FIELD = re.compile(
    r"\b((?:Account|Shared|Access|Primary|Secondary)Key|sig|password|secret)\s*[=:]\s*[^\s;,'\"]+", re.IGNORECASE
)
# Redis keys are 44 base64 characters, storage keys 88.
_KEY = re.compile(r"(?<![\w/+=-])[A-Za-z0-9+/]{40,88}={0,2}(?![\w/+=-])")
_SPACE = re.compile(r"\s+")


def clean(text: str) -> str:
    """Return one line of at most 500 characters, without request ids, time stamps, query strings, tokens and keys."""
    text = _SPACE.sub(" ", text).strip()
    text = _JWT.sub(MASK, text)
    text = _QUERY.sub(r"\1", text)
    text = _KEY_FIELD.sub(rf"\1={MASK}", text)
    text = _CORRELATION.sub("", text)
    text = _TIMESTAMP.sub("", text)
    text = redact(_KEY.sub(MASK, text))
    text = _SPACE.sub(" ", text).strip(" .,;")
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def error_body(text: str | None) -> tuple[str, str, Mapping[str, Any]]:
    """Return code, message and the whole error object of an answer's body; empty if there is none.

    Takes the OData form of Resource Manager and Key Vault (`{"error": {"code", "message"}}`), the flat form that some
    providers use, and Entra's (`{"error": "invalid_client", "error_description": …}`).
    """
    try:
        body = json.loads(text or "")
    except ValueError:
        return "", "", {}
    if not isinstance(body, dict):
        return "", "", {}
    error = body.get("error", body)
    if isinstance(error, str):
        return error, str(body.get("error_description") or ""), body
    if not isinstance(error, dict):
        return "", "", {}
    return str(error.get("code") or ""), str(error.get("message") or ""), error


def inner_code(error: Mapping[str, Any]) -> str:
    """Return the code of the (deepest) innererror, as Key Vault uses it: `ForbiddenByRbac`."""
    code = ""
    inner = error.get("innererror")
    while isinstance(inner, dict):
        code = str(inner.get("code") or code)
        inner = inner.get("innererror")
    return code
