"""Read the error object of an answer's body, in each form that Azure's services use."""

import json
from collections.abc import Mapping
from typing import Any, Final

# Cut before any pattern runs on them. The reasons of Azure have some hundred characters, those of its policies some
# thousand; 500 are shown.
LONGEST_MESSAGE: Final = 10_000
_LONGEST_CODE: Final = 200
_DEEPEST: Final = 20


def error_body(text: str | None) -> tuple[str, str, Mapping[str, Any]]:
    """Return code, message and the whole error object of an answer's body; empty if there is none.

    Takes the OData form of Resource Manager and Key Vault (`{"error": {"code", "message"}}`), the flat form that some
    providers use, and Entra's (`{"error": "invalid_client", "error_description": …}`). Code and message are cut.
    """
    try:
        body = json.loads(text or "")
    except (ValueError, RecursionError):  # the latter: nested too deep
        return "", "", {}
    if not isinstance(body, dict):
        return "", "", {}
    error = body.get("error", body)
    if isinstance(error, str):
        return error[:_LONGEST_CODE], _message(body.get("error_description")), body
    if not isinstance(error, dict):
        return "", "", {}
    return _code(error.get("code")), _message(error.get("message")), error


def inner_code(error: Mapping[str, Any]) -> str:
    """Return the code of the (deepest) innererror, as Key Vault uses it: `ForbiddenByRbac`."""
    code = ""
    inner = error.get("innererror")
    for _ in range(_DEEPEST):
        if not isinstance(inner, dict):
            break
        code = _code(inner.get("code")) or code
        inner = inner.get("innererror")
    return code


def _code(value: object) -> str:
    return value[:_LONGEST_CODE] if isinstance(value, str) else ""


def _message(value: object) -> str:
    return value[:LONGEST_MESSAGE] if isinstance(value, str) else ""
