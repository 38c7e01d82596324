"""What of an environment reaches a host without TLS, in the forms that clients know."""

import pytest

from secure_redis.kube.in_clear import hosts_in_clear

HOST = "orders.redis.cache.windows.net"


def env(**values: str) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        (env(REDIS_URL=f"redis://:secret@{HOST}:6380/0"), "REDIS_URL"),
        (env(REDIS_URL=f"redis://{HOST.upper()}"), "REDIS_URL"),
        (env(CACHE=f"{HOST}:6379,password=abc,ssl=True"), "CACHE"),
        (env(CACHE=f"{HOST},password=abc,ssl=False,abortConnect=False"), "CACHE"),
        (env(NODES=f"other.example.com:6380 {HOST}:6379"), "NODES"),
        (env(REDIS_HOST=HOST, REDIS_PORT="6379"), "REDIS_PORT"),
        (env(SPRING_DATA_REDIS_HOST=HOST, SPRING_DATA_REDIS_SSL_ENABLED="false"), "SPRING_DATA_REDIS_SSL_ENABLED"),
        (env(REDIS_HOSTNAME=HOST, REDIS_USE_TLS="no"), "REDIS_USE_TLS"),
    ],
)
def test_a_plaintext_connection_is_found(entries: list[dict[str, str]], told: str) -> None:
    assert hosts_in_clear(entries) == {told: (HOST,)}


@pytest.mark.parametrize(
    "entries",
    [
        env(REDIS_URL=f"rediss://:secret@{HOST}:6380/0"),
        env(CACHE=f"{HOST}:6380,password=abc,ssl=True"),
        env(REDIS_HOST=HOST, REDIS_PORT="6380"),
        env(REDIS_HOST=HOST, OTHER_PORT="6379"),
        env(REDIS_HOST=HOST, REDIS_PORT="63790"),
        env(NODE=f"{HOST}:63790"),
        [{"name": "REDIS_URL", "valueFrom": {"secretKeyRef": {"name": "orders", "key": "uri"}}}],
        [{"name": "EMPTY"}],
    ],
)
def test_what_is_not_a_plaintext_connection_is_left_alone(entries: list[dict[str, str]]) -> None:
    assert hosts_in_clear(entries) == {}


def test_a_long_value_is_not_searched_for_ever() -> None:
    assert hosts_in_clear(env(BIG="a." * 50_000 + ":6379", EVIL="-" * 100_000)) == {}
