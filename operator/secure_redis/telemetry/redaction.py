"""Mask what must never appear in a log, a status or an error: one list of the shapes of secrets."""

import re
from typing import Final

from secure_redis.telemetry.live_values import MASK, mask

# Shapes, not names of variables: a secret is caught wherever it turns up. A part that can begin at many places of a
# text is bounded, so that no text makes a shape slow.
_SHAPES: Final = (
    # JWTs: ServiceAccount tokens, Entra tokens.
    (re.compile(r"\beyJ[\w-]{5,8000}\.[\w-]{5,8000}(?:\.[\w-]*)?"), MASK),
    # Headers.
    (re.compile(r"(?i)(\b(?:proxy-)?authorization\b['\"]?\s{0,9}[:=]\s{0,9}['\"]?)[^\r\n'\",}]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b(bearer|basic)\s{1,9}[\w.~+/=-]{8,}"), rf"\1 {MASK}"),
    # Connection strings and assignments.
    (re.compile(r"(?i)\b(AccountKey|SharedAccessKey|SharedAccessSignature)=[^;\s'\"]+"), rf"\1={MASK}"),
    (
        re.compile(
            r"(?i)(['\"]?\b(?:primary_?key|secondary_?key|access_?key|password|client_?secret|client_?assertion|"
            r"access_?token|refresh_?token|id_?token)\b['\"]?\s{0,9}[:=]\s{0,9}['\"]?)[^\s'\",;&}]+"
        ),
        rf"\1{MASK}",
    ),
    # User information of a URL.
    (re.compile(r"(?i)\b((?:rediss?|valkeys?|tls|https?|amqps?)://)[^\s/@'\"]*@"), rf"\1{MASK}@"),
    # Queries of operation, continuation and SAS URLs: capabilities, all of them.
    (re.compile(r"(?i)\b(https?://[^\s?'\"<>]{1,2000})\?[^\s'\"<>]+"), rf"\1?{MASK}"),
    (re.compile(r"(?i)([?&](?:sig|code|auth|t|c|s|h|\$?skiptoken)=)[^\s&'\"]+"), rf"\1{MASK}"),
    # Azure access keys: 32 bytes in base64 are 43 characters and "="; newer ones are 52 with a marker and a checksum.
    (re.compile(r"(?<![\w+/-])[A-Za-z0-9+/_-]{43}=(?![\w=])"), MASK),
    (re.compile(r"(?<![\w+/-])[A-Za-z0-9+/]{30,}AzCa[A-Za-z0-9+/]{2,20}={0,2}"), MASK),
    # The same, as a Secret's data holds them: base64 of base64. A resource id has this form too, behind "Microsoft.".
    (re.compile(r"(?<![\w+/-])(?<!(?i:Microsoft\.))[A-Za-z0-9+/]{56,}={0,2}(?![\w+/=-])"), MASK),
)


def redact(text: str) -> str:
    """Return `text` without the values at hand and without anything that has the form of a secret.

    This is the last line of defence. The operator's own texts contain no value that is known to be secret.
    """
    return redact_shapes(mask(text))


def redact_shapes(text: str) -> str:
    """Return `text` without anything that has the form of a secret: the second line, for values that no one knows."""
    for shape, replacement in _SHAPES:
        text = shape.sub(replacement, text)
    return text
