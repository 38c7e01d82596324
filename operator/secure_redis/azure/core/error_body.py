"""Read the error object of an answer's body, in each form that Azure's services use."""

import json
from collections.abc import Mapping
from typing import Any


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
