"""Make the texts of other programs fit for a status: the same on every retry, one line, bounded, without secrets.

Every text from outside (Azure, Entra, Kubernetes, TLS) passes through `clean` before it reaches a condition, an event
or a status. A text that changes with each answer would cause a status write with each check. A volatile part with a
label of its own is removed ("RequestID=…"); any other one is replaced by "…". Names of things stay, and so do the GUIDs
of subscriptions, tenants, principals and roles: they do not change, and a person needs them.

The values at hand are taken out first (`live_values`): a later step may cut through one. Each quantifier is bounded, so
that no text can make a pattern slow.
"""

import re
from typing import Final

from secure_redis.telemetry.live_values import MASK, mask
from secure_redis.telemetry.redaction import redact_shapes

LONGEST: Final = 500
_READ: Final = 10_000  # characters of a text that are considered at all
_GONE: Final = "…"

_GUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_WEEKDAY: Final = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?"
_MONTH: Final = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]{0,6}\.?"
_ZONE: Final = r"(?:\s?(?:z|utc|gmt|[+-]\d\d:?\d\d|\((?:utc|gmt)\))(?![a-z0-9])){0,2}"
_CLOCK: Final = rf"\d{{1,2}}:\d\d(?::\d\d(?:[.,]\d{{1,9}})?)?(?:\s?[ap]\.?m\b\.?)?{_ZONE}"
_DATE: Final = (
    rf"(?:{_WEEKDAY},?\s)?(?:"
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}"  # ISO 8601, Go's log
    r"|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}"  # US (.NET's invariant culture) and European
    rf"|\d{{1,2}}[ -]{_MONTH},?[ -]\d{{2,4}}"  # RFC 1123, RFC 850
    rf"|{_MONTH}\s{{1,2}}\d{{1,2}}(?:,?\s\d{{4}})?"  # asctime, syslog, US long form
    r")"
)
_TIME: Final = (
    rf"(?:{_DATE}(?:t|,?\s(?:at\s)?){_CLOCK}(?:\s\d{{4}}(?![\w.-]))?"
    r"|\d{8}t\d{6}(?:\.\d{1,9})?z?"
    # a time of day or a span: with seconds, behind the date of a klog line, or with AM, PM or a zone
    rf"|(?:[iwef]?\d{{4}}\s)?(?:\d{{1,5}}\.)?\d{{1,3}}:\d\d:\d\d(?:[.,]\d{{1,9}})?(?:\s?[ap]m)?{_ZONE}"
    r"|\d{1,2}:\d\d\s?(?:[ap]m|utc|gmt)\b"
    r"|[12]\d{9}(?:\.\d{1,9})?|[12]\d{12}"  # seconds and milliseconds since 1970
    r")(?!\w|:\d)"
)
_LABELS: Final = (
    r"(?:x-ms-|ms-|x-)?(?:client-|routing-)?"
    r"(?:request|correlation|trace|tracking|activity|operation|error|session|transaction|invocation|message|diagnostics?)"
)
_LABELLED_ID = re.compile(
    rf"[\s,;.(]{{0,4}}[\"']?\b(?:{_LABELS}[\s_-]?id(?:entifier)?|(?:ms-?)?cv|x-azure-ref|etag|ref [a-f])\b[\"']?"
    r"(?:\s(?:is|was))?\s{0,2}[:=]?\s{0,2}(?:W/)?[\"']?(?=[a-z.:_+/=-]{0,60}\d)[0-9a-z][0-9a-z.:_+/=-]{3,120}[\"']?\)?",
    re.IGNORECASE,
)
_LABELLED_TIME = re.compile(
    rf"[\s,;(]{{0,4}}[\"']?\b(?:time\s?stamp|date\s?time|time|date)\b[\"']?\s{{0,2}}[:=]\s{{0,2}}[\"']?{_TIME}[\"']?\)?",
    re.IGNORECASE,
)
# Not within an IPv6 address, a path or a version.
_BARE_TIME = re.compile(rf"(?<![\w./-])(?<!::)(?<![0-9a-f]{{2}}:){_TIME}", re.IGNORECASE)
_WEAK_ETAG = re.compile(r"\bW/\"[^\"\s]{1,200}\"")
_HEX: Final = r"(?:0x)?(?=[0-9]{0,64}[a-f])(?=[a-f]{0,64}[0-9])[0-9a-f]{8,64}"
_ID = re.compile(rf"(?<![\w-])(?:{_GUID}|{_HEX})(?![\w-])", re.IGNORECASE)
_LONG_NUMBER = re.compile(r"(?<![\w.:/'\"@-])\d{9,40}(?![\w.-])")
_DURATION = re.compile(
    r"(?<![\w.:-])['\"]?(?:\d{1,12}h)?(?:\d{1,12}m)?\d{1,12}(?:\.\d{1,12})?['\"]?\s?"
    r"(?:ns|us|µs|ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)(?![\w-])",
    re.IGNORECASE,
)
_COUNTER = re.compile(
    r"(\b(?:current(?:ly)?|usage|in use|used|remaining|attempts?|retry|retries|try|count|total|queued|in flight)"
    r"\b[\s:=#'\"]{1,4}(?:is\s|of\s|was\s|number\s)?)\d{1,12}(?![\w.:/-])",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"(?<![\w.:/-])['\"]?\d[\d,]{0,12}(?:\s(?:of|out of)\s\d[\d,]{0,12})?['\"]?"
    r"(?=\s(?:more\s)?(?:attempt|retr|request|time|error|failure|connection|operation|call|token|tries)[a-z]{0,4}\b)",
    re.IGNORECASE,
)
_QUOTA_USED = re.compile(r"\bused: \S{0,200}[^\s,]")  # of a Kubernetes ResourceQuota: "used: pods=3,secrets=5"
_RESOURCE_VERSION = re.compile(r"(\bresource\s?version\b\W{1,4})\d{1,20}(?:\s\(\d{1,20}\))?", re.IGNORECASE)
# The port of a client: what is left of an arrow, or out of the range that Linux gives to clients.
_PORT = re.compile(
    r"((?:\b\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]{2,45}\]):)(?:\d{1,5}(?=->)|(?:3[3-9]|[45]\d|6[0-5])\d{3}\b)",
    re.IGNORECASE,
)
_QUERY = re.compile(r"(https?://[^\s?'\"<>]{1,2000})\?[^\s'\"<>]{0,4000}", re.IGNORECASE)
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{8,8000}(?:\.[A-Za-z0-9_-]{0,8000}){0,2}")
_KEY_FIELD = re.compile(
    r"\b((?:Account|Shared|Access|Primary|Secondary)Key|sig|password|secret)\s{0,4}[=:]\s{0,4}[^\s;,'\"]{1,4000}",
    re.IGNORECASE,
)
# Redis keys are 44 base64 characters, storage keys 88.
# A resource id has this form too, behind "Microsoft.".
_KEY = re.compile(r"(?<![\w/+=-])(?<!(?i:Microsoft\.))[A-Za-z0-9+/]{40,88}={0,2}(?![\w/+=-])")
_SPACE = re.compile(r"\s+")

# The text before an id that does not change: a segment of a resource id or an issuer, or the word for a thing.
_SEGMENT = re.compile(r"/([A-Za-z.]{1,60})/$")
_OPERATION = re.compile(r"operation|async|status|result|deployment|request", re.IGNORECASE)
_THING = re.compile(
    r"\b(?:subscription|tenant|client|app(?:lication)?|object|principal|identity|directory|assignment|definition|user|"
    r"account|namespace|oid|thumbprint)s?(?:\s?id|\swith id(?:entifier)?)?[\s:='\"(]{1,4}$",
    re.IGNORECASE,
)


def clean(text: str) -> str:
    """Return one line of at most 500 characters without secrets, times, ids of a request and counters."""
    text = _SPACE.sub(" ", mask(_start(text))).strip()
    text = _JWT.sub(MASK, text)
    text = _QUERY.sub(r"\1", text)
    text = _KEY_FIELD.sub(rf"\1={MASK}", text)
    text = _LABELLED_ID.sub("", text)
    text = _LABELLED_TIME.sub("", text)
    # Counters come before times: a large one resembles the seconds since 1970.
    for counter in (_RESOURCE_VERSION, _COUNTER, _PORT):
        text = counter.sub(rf"\1{_GONE}", text)
    text = _QUOTA_USED.sub(f"used: {_GONE}", text)
    for volatile in (_DURATION, _COUNTED, _BARE_TIME, _WEAK_ETAG):
        text = volatile.sub(_GONE, text)
    text = _ID.sub(_unless_of_a_thing, text)
    text = _LONG_NUMBER.sub(_GONE, text)
    text = redact_shapes(_KEY.sub(MASK, text))
    text = _SPACE.sub(" ", text).strip(" .,;")
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def _start(text: str) -> str:
    """Return the part that is considered, cut between words: half of a secret has no form that is known."""
    return text if len(text) <= _READ else text[:_READ].rpartition(" ")[0]


def _unless_of_a_thing(found: re.Match[str]) -> str:
    before = found.string[max(0, found.start() - 80) : found.start()]
    segment = _SEGMENT.search(before)
    if segment is not None:
        return _GONE if _OPERATION.search(segment.group(1)) else found.group()
    # A name may look like a short id. It is in quotes, or behind a sign that joins it to another name.
    named = (
        before.endswith(("/", "'", '"', ":", "@", ".")) and re.fullmatch(_GUID, found.group(), re.IGNORECASE) is None
    )
    return found.group() if named or _THING.search(before) else _GONE
