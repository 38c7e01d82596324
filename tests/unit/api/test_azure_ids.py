import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_redis.api.azure_ids import (
    CacheID,
    InvalidResourceID,
    Service,
    segments,
    within,
)

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Cache/redis/orders"


def test_the_parts() -> None:
    parsed = CacheID.parse(ID)
    assert (parsed.subscription, parsed.group, parsed.name) == (SUBSCRIPTION, "shop", "orders")
    assert parsed.service is Service.REDIS
    assert parsed.text == ID
    assert parsed.key == ID.lower()
    assert parsed.parts == segments(ID)
    assert CacheID.parse(ID.replace("/redis/", "/redisEnterprise/")).service is Service.MANAGED_REDIS


@pytest.mark.parametrize("text", [ID.lower(), ID.upper(), ID.replace("redis/", "Redis/")])
def test_case_does_not_matter(text: str) -> None:
    assert CacheID.parse(text).key == CacheID.parse(ID).key


@pytest.mark.parametrize("name", ["a", "a1", "1-a", "a" * 63, "a-b-c"])
@pytest.mark.parametrize("group", ["g", "a.b_c-(d)", "g" * 90])
def test_legal_names(name: str, group: str) -> None:
    text = ID.replace("shop", group).replace("orders", name)
    assert (CacheID.parse(text).group, CacheID.parse(text).name) == (group, name)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "expected"),
        ("orders", "expected"),
        (ID[1:], "expected"),
        (ID + "/", "expected"),
        (ID + "/firewallRules/x", "expected"),
        ("/" + ID, "expected"),
        (ID.replace("/redis/orders", ""), "expected"),
        (f"https://management.azure.com{ID}", "expected"),
        (ID + "?api-version=1", "name"),
        (ID + "#x", "name"),
        (ID + " ", "name"),
        (ID + "\n", "name"),
        (ID.replace("orders", ""), "name"),
        (ID.replace("orders", ".."), "name"),
        (ID.replace("orders", "-orders"), "name"),
        (ID.replace("orders", "orders-"), "name"),
        (ID.replace("orders", "a--b"), "name"),
        (ID.replace("orders", "a" * 64), "name"),
        (ID.replace("orders", "%2e%2e"), "name"),
        (ID.replace("orders", "ordérs"), "name"),
        (ID.replace("shop", ".."), "group"),
        (ID.replace("shop", "shop."), "group"),
        (ID.replace("shop", "s%68op"), "group"),
        (ID.replace("shop", "g" * 91), "group"),
        (ID.replace("shop", ""), "group"),
        (ID.replace(SUBSCRIPTION, SUBSCRIPTION[:-1]), "subscription"),
        (ID.replace(SUBSCRIPTION, SUBSCRIPTION.replace("1", "g")), "subscription"),
        (ID.replace("Microsoft.Cache", "Microsoft.KeyVault"), "Microsoft.Cache"),
        (ID.replace("resourceGroups", "resourcegroup"), "Microsoft.Cache"),
        (ID.replace("/redis/", "/redisFlash/"), "redis or redisEnterprise"),
    ],
)
def test_an_id_of_no_cache_is_refused_by_its_wrong_part(text: str, part: str) -> None:
    with pytest.raises(InvalidResourceID, match=part):
        CacheID.parse(text)


@given(
    at=st.integers(0, ID.count("/")),
    segment=st.text(max_size=20) | st.from_regex(r"[A-Za-z0-9-]{1,20}", fullmatch=True),
)
def test_any_text_is_parsed_or_refused(at: int, segment: str) -> None:
    own = ID.split("/")
    for text in (ID, segment, "/".join([*own[:at], segment, *own[at + 1 :]])):
        try:
            parsed = CacheID.parse(text)
        except InvalidResourceID:
            assert text != ID
        else:
            assert parsed.text == text


@given(tail=st.text(st.characters(whitelist_categories=("L", "N", "P", "S", "Z", "C")), min_size=1, max_size=8))
def test_no_text_beside_a_legal_name_is_taken(tail: str) -> None:
    try:
        parsed = CacheID.parse(ID + tail)
    except InvalidResourceID:
        assert not re.fullmatch("[a-z0-9]+", tail)
        return
    assert not set(parsed.name) & set("/?#%.@: \r\n\t\\")


@pytest.mark.parametrize(
    ("scope", "inside"),
    [
        (ID, True),
        (ID + "/", True),
        (ID.upper(), True),
        (f"/subscriptions/{SUBSCRIPTION}", True),
        (f"/subscriptions/{SUBSCRIPTION}/resourceGroups/SHOP", True),
        (f"/subscriptions/{SUBSCRIPTION}/resourceGroups/sho", False),
        (f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop2", False),
        (f"/subscriptions/{SUBSCRIPTION[:2]}", False),
        (ID + "/x", False),
        (ID + "2", False),
        ("", False),
        ("/", False),
        ("//", False),
    ],
)
def test_scopes_are_compared_by_whole_segments(scope: str, inside: bool) -> None:
    assert within(scope, ID) is inside


def test_a_subscription_is_no_prefix_of_another() -> None:
    assert not within("/subscriptions/1", "/subscriptions/12/resourceGroups/x")
    assert not within("/subscriptions/12", "/subscriptions/1/resourceGroups/x")
    assert within("/subscriptions/1", "/subscriptions/1")


ids = st.lists(st.text(st.characters(codec="ascii", exclude_characters="/"), min_size=1, max_size=4), min_size=1)


@given(outer=ids, rest=ids)
def test_what_is_below_is_inside_and_never_the_reverse(outer: list[str], rest: list[str]) -> None:
    scope, below = "/" + "/".join(outer), "/" + "/".join([*outer, *rest])
    assert within(scope, below)
    assert within(scope.swapcase(), below)
    assert not within(below, scope)
