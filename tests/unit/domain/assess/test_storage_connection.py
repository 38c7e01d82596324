"""A connection string is taken apart before it is sent; whatever is odd about it, it is not shown."""

import base64

import pytest
from pydantic import SecretBytes, SecretStr

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.assess.storage_connection import connection_string
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.secret import SecretFacts
from tests.builders.storage import storage

KEY = base64.b64encode(bytes(range(64))).decode()
GOOD = f"DefaultEndpointsProtocol=https;AccountName=shopdata;AccountKey={KEY};EndpointSuffix=core.windows.net"


def secret(text: str | bytes, *, kind: str = names.STORAGE_SECRET_TYPE, key: str = "connectionString") -> SecretFacts:
    raw = text.encode() if isinstance(text, str) else text
    return SecretFacts("conn", "u", "1", kind, {key: SecretBytes(raw)})


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"{GOOD};\n",
        GOOD.replace("AccountName=shopdata", "AccountName=ShopData"),
        f"{GOOD};BlobEndpoint=https://shopdata.blob.core.windows.net/",
        GOOD.replace(";EndpointSuffix=core.windows.net", ""),
    ],
)
def test_a_good_one_is_sent_in_one_form(text: str) -> None:
    found = connection_string(secret(text), storage())
    assert isinstance(found, SecretStr)
    assert found.get_secret_value() == GOOD


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "form"),
        ("nonsense", "form"),
        (GOOD + " ;x", "form"),
        ("a=" + "x" * 2000, "form"),
        (GOOD + f";AccountKey={KEY}", "form"),
        ("é=1".encode("latin-1"), "does not hold"),
        (GOOD.replace("https;", "http;"), "DefaultEndpointsProtocol=https"),
        (GOOD.replace("DefaultEndpointsProtocol=https;", ""), "DefaultEndpointsProtocol=https"),
        (GOOD.replace("=shopdata", "=other"), "another account"),
        (GOOD.replace("AccountName=shopdata;", ""), "another account"),
        (GOOD.replace("core.windows.net", "core.windows.net.evil.example"), "another endpoint suffix"),
        (GOOD + ";BlobEndpoint=https://evil.example", "another blob endpoint"),
        (GOOD + ";BlobEndpoint=http://shopdata.blob.core.windows.net", "another blob endpoint"),
        (GOOD + ";QueueEndpoint=https://evil.example", "parts besides"),
        (GOOD + ";SharedAccessSignature=sv=2020&sig=abc", "shared access signature"),
        (GOOD.replace(KEY, "[key-hidden]"), "no whole account key"),
        (GOOD.replace(KEY, KEY[:-4]), "no whole account key"),
        (GOOD.replace(f"AccountKey={KEY};", ""), "no whole account key"),
        ("UseDevelopmentStorage=true", "parts besides"),
    ],
)
def test_whatever_else_is_refused_and_not_repeated(text: str | bytes, fault: str) -> None:
    found = connection_string(secret(text), storage())
    assert isinstance(found, Explanation)
    assert found.reason is Reason.STORAGE_SECRET_REFUSED
    assert fault in found.message
    assert KEY[:10] not in found.message
    assert "evil" not in found.message


def test_the_type_the_key_and_the_account_must_be_there() -> None:
    for wrong in (secret(GOOD, kind="Opaque"), secret(GOOD, key="other")):
        found = connection_string(wrong, storage())
        assert isinstance(found, Explanation)
        assert found.reason is Reason.STORAGE_SECRET_REFUSED
    blind = connection_string(secret(GOOD), storage(blob_endpoint=None))
    assert isinstance(blind, Explanation)
    assert blind.reason is Reason.STORAGE_UNREAD
    foreign = connection_string(secret(GOOD), storage(blob_endpoint="https://other.blob.core.windows.net/"))
    assert isinstance(foreign, Explanation)
