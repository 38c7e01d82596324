"""The store of watched Secrets: newest wins, and silence means ask."""

import dataclasses

import pytest

from secure_redis.api import names
from secure_redis.api.resource import Key
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.kube.resources import merge_patch
from secure_redis.kube.secret_store import SecretStore, newer

LABELS = {names.MANAGED_BY: names.MANAGER, names.CACHE_LABEL: "cache"}
KEY = Key("shop", "cache")


def secret(version: str, name: str = "orders", uid: str = "u") -> SecretFacts:
    return SecretFacts(name, uid, version, names.SECRET_TYPE, labels=LABELS)


@pytest.fixture
def store() -> SecretStore:
    opened = SecretStore()
    opened.begin("shop", [("shop", secret("5"))], "7")
    return opened


def test_it_answers_only_where_a_watch_is_in_step(store: SecretStore) -> None:
    assert store.get("shop", "orders") == secret("5")
    store.end("shop")
    assert store.get("shop", "orders") is None
    assert not store.synced("other")


def test_older_versions_never_replace_newer(store: SecretStore) -> None:
    assert store.put("shop", secret("9"))
    assert not store.put("shop", secret("8"))
    assert not store.put("shop", secret("9"))
    assert store.get("shop", "orders") == secret("9")
    assert store.drop("shop", "orders", "8") is None
    assert store.drop("shop", "orders", "10") == secret("9")
    assert not store.put("shop", secret("9")), "a late event of what is gone"
    assert store.put("shop", secret("11"))


def test_our_own_write_is_known_by_its_version(store: SecretStore) -> None:
    store.put("shop", secret("9"), own=True)
    assert store.wrote("shop", "orders", "9")
    assert not store.wrote("shop", "orders", "10")


def test_a_deleted_cache_is_not_returned(store: SecretStore) -> None:
    store.forget("shop", "orders", "another uid")
    assert store.get("shop", "orders") is not None
    store.forget("shop", "orders", "u")
    assert store.get("shop", "orders") is None


def test_a_list_removes_what_is_gone_but_not_what_came_after_it(store: SecretStore) -> None:
    store.put("shop", secret("20", "fresh"), own=True)
    assert store.begin("shop", [], "15") == {KEY}
    assert store.get("shop", "orders") is None
    assert store.get("shop", "fresh") is not None


def test_a_secret_without_our_label_leaves(store: SecretStore) -> None:
    store.put("shop", dataclasses.replace(secret("9"), labels={}))
    assert store.get("shop", "orders") is None


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
