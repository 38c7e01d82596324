import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from secure_redis.domain.assess.key_value import LONGEST_KEY, malformed, shape, slot_of
from secure_redis.domain.observe.keys import ListedKeys, Slot
from tests.builders.world import KEYS, PRIMARY, SECONDARY


@pytest.mark.parametrize("value", [PRIMARY, "k" * 512, "'\"$`\\%@:/?#"])
def test_values_that_may_be_keys(value: str) -> None:
    assert malformed(SecretStr(value)) is None


def test_the_slot_is_that_of_the_equal_key() -> None:
    assert slot_of(SecretStr(PRIMARY), KEYS) is Slot.PRIMARY
    assert slot_of(SecretStr(SECONDARY), KEYS) is Slot.SECONDARY
    assert slot_of(SecretStr(PRIMARY[:-1]), KEYS) is None
    assert slot_of(SecretStr("é\udcff"), ListedKeys(SecretStr("é"), SecretStr("x"))) is None


QUOTED = PRIMARY.replace("+", "%2B").replace("=", "%3D")
SHAPES = [
    (f'"{PRIMARY}"', "a quoted string"),
    (f"'{PRIMARY}'", "a quoted string"),
    (json.dumps({"primaryKey": PRIMARY}), "JSON"),
    (json.dumps([PRIMARY]), "JSON"),
    (f"rediss://:{QUOTED}@orders.redis.cache.windows.net:6380/0", "an address or a connection string"),
    (f"orders.redis.cache.windows.net:6380,password={PRIMARY},ssl=True", "an address or a connection string"),
    ("orders.redis.cache.windows.net:6380", "an address or a connection string"),
    ("orders.redis.cache.windows.net", "an address or a connection string"),
    (QUOTED, "percent-encoding"),
    (base64.b64encode(PRIMARY.encode()).decode(), "base64 of a text"),
    (base64.b64encode(f"{PRIMARY}\n".encode()).decode(), "base64 of a text"),
]


@pytest.mark.parametrize(("value", "name"), SHAPES)
def test_a_shape_is_named_and_nothing_of_the_value_is_shown(value: str, name: str) -> None:
    found = shape(SecretStr(value))
    assert f"the shape of {name}:" in found
    assert PRIMARY not in found
    assert found == shape(SecretStr(value.replace(PRIMARY, SECONDARY))) or name in (
        "percent-encoding",
        "base64 of a text",
    )


@pytest.mark.parametrize("value", [PRIMARY, SECONDARY, "", "{", "[x", "100%", "a:b", "x" * 44, "AzCa" * 11 + "="])
def test_a_key_has_none(value: str) -> None:
    assert shape(SecretStr(value)) == ""


def test_only_the_head_of_a_large_value_is_searched() -> None:
    """The search takes quadratic time: on a vault's largest value it blocked the operator until it lost its Lease."""
    assert "an address" in shape(SecretStr(f"{'k' * 400}.example.com:6380"))
    assert shape(SecretStr(f"{'k' * LONGEST_KEY}.example.com:6380")) == ""


@given(raw=st.binary(min_size=32, max_size=48).filter(lambda raw: any(byte > 126 for byte in raw)))
def test_no_key_that_azure_makes_has_one(raw: bytes) -> None:
    assert shape(SecretStr(base64.b64encode(raw).decode())) == ""
