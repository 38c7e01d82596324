"""Text in the form of a secret is taken out, and ordinary text is left alone."""

import base64
import io
import json
import logging
import secrets as random_secrets
import string
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_redis.api.resource import Unreadable, parse
from secure_redis.telemetry import logs
from secure_redis.telemetry.audit import Auditor
from secure_redis.telemetry.live_values import MASK
from secure_redis.telemetry.redaction import redact

KEY = base64.b64encode(bytes(range(32))).decode()
NEW_KEY = "Ab3" * 12 + "AzCaD" + "9xYz" * 2 + "="
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJvcmRlcnMifQ.c2lnbmF0dXJlLWNhbmFyeQ"

TEXTS = {
    "access key": (f"the key is {KEY} it says", KEY),
    "access key in JSON": (f'{{"primaryKey":"{KEY}"}}', KEY),
    "newer access key": (f"value={NEW_KEY}", NEW_KEY),
    "a Secret's data": (base64.b64encode(KEY.encode()).decode(), base64.b64encode(KEY.encode()).decode()),
    "token": (f"got {JWT} from Entra", JWT),
    "authorization": ("Authorization: Bearer opaque-token-value", "opaque-token-value"),
    "authorization in a dict": ("{'Authorization': 'Bearer opaque-token-value'}", "opaque-token-value"),
    "bearer": ("header bearer abcdefgh12345678", "abcdefgh12345678"),
    "connection string": ("AccountName=x;AccountKey=abc123==;EndpointSuffix=y", "abc123=="),
    "uri": ("rediss://:p%40ss@orders.redis.cache.windows.net:6380", "p%40ss"),
    "uri of a named user": ("rediss://default:p%40ss@orders.redis.cache.windows.net:6380/0?tls=true", "p%40ss"),
    "uri of a template": ("valkeys://p%40ss@orders.redis.cache.windows.net:6380", "p%40ss"),
    "user of a template": ("tls://default:p%40ss@orders.redis.cache.windows.net:6380", "p%40ss"),
    "query of a template": ("tls://orders.redis.cache.windows.net:6380?auth=p%40ss&database=0", "p%40ss"),
    "sas": ("https://a.blob.core.windows.net/c?sv=1&sig=canary%2Bsig", "canary%2Bsig"),
    "operation": ("Azure-AsyncOperation https://m.azure.com/x/operations/1?api-version=1&t=c4n4ry&c=MIIH", "c4n4ry"),
    "password": ("password='hunter2hunter2'", "hunter2hunter2"),
    "assertion": ("client_assertion=abc.def&x=1", "abc.def"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_secrets_are_taken_out(name: str) -> None:
    text, canary = TEXTS[name]
    cleaned = redact(text)
    assert canary not in cleaned
    assert MASK in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop/providers/Microsoft.Cache/redis/orders",
        "Secret 'orders' exists and is not this resource's: rename it",
        "shop/orders: KeyMismatch, version 0123456789abcdef0123456789abcdef",
        "https://shop.vault.azure.net/secrets/orders-redis-key",
        "kubectl create rolebinding secure-redis-operator --clusterrole=secure-redis-namespace",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text) == text


@given(st.binary(min_size=32, max_size=32), st.sampled_from(["{}", "'{}'", '"{}"', "key: {}", "a {} b", "{},{}"]))
def test_every_azure_key_is_taken_out(raw: bytes, around: str) -> None:
    key = base64.b64encode(raw).decode()
    assert key not in redact(around.format(key, key))


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    text = io.StringIO()
    before = logging.getLogger().handlers[:]
    levels = {name: logging.getLogger(name).level for name in ("", "kopf", "azure", "secure_redis")}
    logs.setup("DEBUG", text)
    yield text
    logging.getLogger().handlers[:] = before
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_no_part_of_a_record_contains_a_secret(stream: io.StringIO) -> None:
    log = logging.getLogger("secure_redis.test")
    canary = "".join(random_secrets.choice(string.ascii_letters) for _ in range(12))
    try:
        raise ValueError(f"Authorization: Bearer {canary}")  # noqa: TRY301
    except ValueError:
        log.exception("failed with %s", f"rediss://:{canary}@host", extra={"body": {"password": f"password={canary}"}})
    logging.getLogger("azure.core").error("sent AccountKey=%s", canary)
    text = stream.getvalue()
    assert canary not in text
    first = json.loads(text.splitlines()[0])
    assert (first["level"], first["logger"]) == ("error", "secure_redis.test")
    assert "ValueError" in first["exception"]
    assert first["time"]


def test_a_record_that_cannot_be_formatted_is_still_a_record(stream: io.StringIO) -> None:
    logging.getLogger("secure_redis.test").warning("%d", "not a number")
    assert json.loads(stream.getvalue())["level"] == "warning"


def test_others_stay_tame_at_debug(stream: io.StringIO) -> None:
    for name in ("kopf.objects", "azure.core.pipeline.policies.http_logging_policy", "aiohttp.access"):
        logging.getLogger(name).debug("whole bodies")
        logging.getLogger(name).info("whole bodies")
    assert stream.getvalue() == ""


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="LOUD"):
        logs.setup("LOUD")


def test_an_audit_record_names_fields_and_is_counted(stream: io.StringIO) -> None:

    meta = {"namespace": "shop", "name": "orders", "uid": "u", "generation": 3, "resourceVersion": "1"}
    resource = parse({"metadata": meta, "spec": {"resourceID": "/x"}})
    assert isinstance(resource, Unreadable)
    counted: list[tuple[str, str]] = []
    Auditor(lambda *told: counted.append(told)).record(
        resource=resource.envelope,
        action="ApplySecret",
        target="Secret shop/orders",
        fields=("host", "password"),
        identity="the operator's ServiceAccount",
        trigger="Edit",
        correlation_id="c",
        result="done",
    )
    record = json.loads(stream.getvalue())
    assert record["logger"] == "secure_redis.audit"
    assert record["audit"]["resource"] == "shop/orders"
    assert record["audit"]["generation"] == 3
    assert record["audit"]["fields"] == ["host", "password"]
    assert counted == [("ApplySecret", "done")]


def test_kopf_is_not_quoted_about_signals_that_this_process_takes(stream: io.StringIO) -> None:
    kopf = logging.getLogger("kopf._core.reactor.running")
    kopf.warning("OS signals are ignored: running not in the main thread.")
    kopf.warning("another warning")
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["another warning"]
