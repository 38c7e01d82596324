import pytest
from pydantic import SecretStr

from secure_redis.domain.assess.key_value import malformed, slot_of
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
