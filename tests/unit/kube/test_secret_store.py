"""The store of watched Secrets: newest wins, silence requires a read, and only the resources' own are kept."""

import dataclasses

import pytest
from pydantic import SecretBytes

from secure_redis.api import names
from secure_redis.api.resource import Key
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.kube.resources import merge_patch
from secure_redis.kube.secret_store import SecretStore, newer

LABELS = {names.MANAGED_BY: names.MANAGER, names.CACHE_LABEL: "cache"}
KEY = Key("shop", "cache")


def secret(version: str, name: str = "orders", uid: str = "u", owner: str = "owner", data: int = 0) -> SecretFacts:
    values = {"password": SecretBytes(b"p" * data)} if data else {}
    return SecretFacts(name, uid, version, names.SECRET_TYPE, labels=LABELS, owner_uid=owner, data=values)


SERVED = frozenset({"orders", "fresh"})


@pytest.fixture
def store() -> SecretStore:
    opened = SecretStore()
    opened.serve(KEY, "owner", SERVED)
    opened.listed("shop", secret("5"))
    opened.begin("shop", {("shop", "orders")}, "7")
    return opened


def claimed(store: SecretStore, owner: str = "owner") -> set[str] | None:
    found = store.claimed_by(KEY, owner)
    return None if found is None else set(found)


def test_it_answers_only_where_a_watch_is_in_step(store: SecretStore) -> None:
    assert store.get("shop", "orders") == secret("5")
    assert claimed(store) == {"orders"}
    store.end("shop")
    assert store.get("shop", "orders") is None
    assert claimed(store) is None
    assert not store.synced("other")


def test_older_versions_never_replace_newer(store: SecretStore) -> None:
    assert store.put("shop", secret("9"))
    assert not store.put("shop", secret("8"))
    assert not store.put("shop", secret("9"))
    assert store.get("shop", "orders") == secret("9")
    assert not store.drop("shop", "orders", "8")
    assert store.drop("shop", "orders", "10")
    assert not store.put("shop", secret("9")), "a late event of what is gone"
    assert store.put("shop", secret("11"))


def test_our_own_write_is_known_by_its_version(store: SecretStore) -> None:
    store.put("shop", secret("9"), own=True)
    assert store.wrote("shop", "orders", "9")
    assert not store.wrote("shop", "orders", "10")


def test_a_deleted_secret_is_not_returned(store: SecretStore) -> None:
    store.forget("shop", "orders", "another uid")
    assert store.get("shop", "orders") is not None
    store.forget("shop", "orders", "u")
    assert store.get("shop", "orders") is None
    assert claimed(store) == set()


def test_a_list_removes_what_is_gone_but_not_what_came_after_it(store: SecretStore) -> None:
    store.put("shop", secret("20", "fresh"), own=True)
    assert store.begin("shop", set(), "15") == {KEY}
    assert store.get("shop", "orders") is None
    assert store.get("shop", "fresh") is not None


def test_a_secret_without_our_label_leaves(store: SecretStore) -> None:
    store.put("shop", dataclasses.replace(secret("9"), labels={}))
    assert store.get("shop", "orders") is None
    assert claimed(store) == set()


def meta(name: str, uid: str | None = None) -> dict[str, object]:
    return {"namespace": "shop", "name": name, "annotations": {names.SECRET_UID: uid} if uid else {}, "labels": LABELS}


def test_of_the_secrets_of_others_nothing_is_kept(store: SecretStore) -> None:
    before = store.bytes
    for number in range(200):
        foreign = secret("30", f"foreign-{number}", owner="nobody")
        assert not store.wants(meta(foreign.name, "nobody"))
        store.put("shop", foreign)
        store.put("elsewhere", secret("30"), own=True)
    assert store.bytes == before
    assert not store.wrote("elsewhere", "orders", "30")
    assert store.versions(None) == {"shop/orders": "5"}
    assert store.wants(meta("orders"))
    assert store.wants(meta("renamed", "owner"))


def test_a_change_names_the_resource_by_name_and_by_the_uid_now_and_before(store: SecretStore) -> None:
    store.put("shop", secret("9", "former"))
    assert store.resources_of("shop", "former", None) == {KEY}, "it carried the uid before"
    assert store.resources_of("shop", "orders", "nobody") == {KEY}
    assert store.resources_of("shop", "new", "owner") == {KEY}
    assert store.resources_of("shop", "new", "nobody") == set()
    store.put("shop", secret("10", "former", owner="nobody"))
    assert store.resources_of("shop", "former", None) == set()
    assert claimed(store) == {"orders"}


def test_a_resource_that_is_gone_takes_its_secrets_along(store: SecretStore) -> None:
    other = Key("shop", "other")
    store.serve(other, "second", frozenset({"orders"}))
    for number in range(60):
        store.put("shop", secret("30", f"copy-{number}"), own=number == 0)
    store.unserve(KEY)
    assert store.get("shop", "orders") is not None, "the other resource gives its Secret this name"
    store.unserve(other)
    assert (store.bytes, store.versions(None)) == (0, {})
    assert store.resources_of("shop", "orders", "owner") == set()
    assert [name for name, kept in vars(store).items() if kept] == ["_synced"], "nothing else is kept"


def test_of_secrets_that_are_gone_few_are_remembered(store: SecretStore) -> None:
    store.serve(KEY, "owner", frozenset(f"own-{number}" for number in range(1500)))
    for number in range(1500):
        store.put("shop", secret("30", f"own-{number}"))
        store.drop("shop", f"own-{number}", "31")
    assert len(store._gone) == 1000
    assert not store.put("shop", secret("30", "own-1499")), "a late event of what is gone"


def test_a_resource_that_was_created_again_is_another_one(store: SecretStore) -> None:
    store.serve(KEY, "again", SERVED)
    assert store.resources_of("shop", "renamed", "owner") == set()
    assert claimed(store, "again") == set()
    assert claimed(store) is None


def test_a_copied_uid_is_bounded_and_never_hides_the_declared_secret(store: SecretStore) -> None:
    for number in range(50):
        store.put("shop", secret("30", f"copy-{number:03}"))
    assert claimed(store) is None, "there are more than are known, so they have to be listed"
    assert store.put("shop", secret("31"))
    assert store.get("shop", "orders") == secret("31")
    kept = [name for name in (f"copy-{number:03}" for number in range(50)) if store.get("shop", name)]
    assert len(kept) < 5
    assert len(store.versions("shop")) == 50
    store.relist("shop")
    store.begin("shop", {("shop", "orders")}, "40")
    assert claimed(store) == {"orders"}


def test_large_content_is_not_kept_and_the_namespace_has_a_bound(store: SecretStore) -> None:
    store.put("shop", secret("30", data=32 * 1024 + 1))
    assert store.get("shop", "orders") is None
    assert claimed(store) == {"orders"}, "it is read when it is needed"
    many = frozenset(f"own-{number:02}" for number in range(30))
    store.serve(KEY, "owner", many)
    for name in sorted(many):
        store.put("shop", secret("31", name, data=16 * 1024))
    assert 32 * 1024 < store.bytes <= (64 + 16) * 1024
    for name in sorted(many):
        store.drop("shop", name, "32")
    assert store.bytes == 0


def test_versions_that_are_no_numbers_count_as_news_when_they_differ() -> None:
    assert newer("b", "a")
    assert newer("a", "b")
    assert not newer("a", "a")
    assert newer("10", "9")
    assert not newer("9", "10")


@pytest.mark.parametrize(
    ("old", "new", "patch"),
    [
        ({}, {}, {}),
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {}, {"a": None}),
        ({}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": None}}),
        ({"a": [1, 2]}, {"a": [1]}, {"a": [1]}),
        ({"a": {"b": 1}}, {"a": 3}, {"a": 3}),
    ],
)
def test_merge_patch(old: dict[str, object], new: dict[str, object], patch: dict[str, object]) -> None:
    assert merge_patch(old, new) == patch
