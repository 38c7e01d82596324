"""Resource ids of storage accounts."""

import pytest

from secure_redis.api.azure_ids import InvalidStorageAccountID, StorageAccountID, within

GOOD = (
    "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/Shop/providers/Microsoft.Storage"
    "/storageAccounts/OrdersData1"
)


def test_an_id_in_any_case() -> None:
    parsed = StorageAccountID.parse(GOOD)
    assert (parsed.group, parsed.name, parsed.text) == ("Shop", "OrdersData1", GOOD)
    assert parsed.key == StorageAccountID.parse(GOOD.lower()).key == StorageAccountID.parse(GOOD.upper()).key
    assert within("/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/shop", parsed.text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected /subscriptions"),
        (GOOD + "/blobServices/default", "expected /subscriptions"),
        (GOOD.replace("Storage/storageAccounts", "Cache/redis"), "not a storage account"),
        (GOOD.replace("11111111-", "1-"), "not a GUID"),
        (GOOD.replace("Shop", "sh op"), "group's name"),
        (GOOD.replace("Shop", ".."), "group's name"),
        (GOOD.replace("OrdersData1", "orders-data"), "account's name"),
        (GOOD.replace("OrdersData1", "ab"), "account's name"),
        (GOOD.replace("OrdersData1", "a" * 25), "account's name"),
        (GOOD.replace("OrdersData1", "data?x=1"), "account's name"),
        (GOOD.replace("OrdersData1", "dätä"), "account's name"),
        (GOOD + "\n", "account's name"),
    ],
)
def test_the_error_is_reported(text: str, problem: str) -> None:
    with pytest.raises(InvalidStorageAccountID, match=problem):
        StorageAccountID.parse(text)
