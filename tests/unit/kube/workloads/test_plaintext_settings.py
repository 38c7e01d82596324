"""The settings of a workload that reach a host without TLS, in the forms that clients know."""

import time

import pytest

from secure_redis.kube.workloads.plaintext_settings import hosts_without_tls, plaintext_in

HOST = "orders.redis.cache.windows.net"
DATABASE = "orders.postgres.example.com"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"REDIS_URL": f"redis://:secret@{HOST}:6380/0"}, "REDIS_URL"),
        ({"REDIS_URL": f"redis://{HOST.upper()}"}, "REDIS_URL"),
        ({"REDIS_URL": f"redis://:a/b+c=@{HOST}/0"}, "REDIS_URL"),
        ({"REDIS_URL": f"redis://:hun@ter.two@{HOST}"}, "REDIS_URL"),
        ({"REDIS_URL": f"redis://{HOST}.,"}, "REDIS_URL"),
        ({"CACHE": f"{HOST}:6379,password=abc,ssl=True"}, "CACHE"),
        ({"CACHE": f"{HOST},password=abc,ssl=False,abortConnect=False"}, "CACHE"),
        ({"NODES": f"other.example.com:6380 {HOST}:6379"}, "NODES"),
        ({"REDIS_HOST": HOST, "REDIS_PORT": "6379"}, "REDIS_PORT"),
        ({"SPRING_DATA_REDIS_HOST": HOST, "SPRING_DATA_REDIS_SSL_ENABLED": "false"}, "SPRING_DATA_REDIS_SSL_ENABLED"),
        ({"REDIS_HOSTNAME": HOST, "REDIS_USE_TLS": "no"}, "REDIS_USE_TLS"),
        ({"spring.redis.host": HOST, "spring.redis.port": "6379"}, "spring.redis.port"),
    ],
)
def test_a_plaintext_connection_is_found(settings: dict[str, str], told: str) -> None:
    assert hosts_without_tls(settings) == {told: (HOST,)}


@pytest.mark.parametrize(
    "settings",
    [
        {"REDIS_URL": f"rediss://:secret@{HOST}:6380/0"},
        {"CACHE": f"{HOST}:6380,password=abc,ssl=True"},
        {"REDIS_HOST": HOST, "REDIS_PORT": "6380"},
        {"REDIS_HOST": HOST, "OTHER_PORT": "6379"},
        {"REDIS_HOST": HOST, "REDIS_PORT": "63790"},
        {"NODE": f"{HOST}:63790"},
        {"EMPTY": ""},
    ],
)
def test_other_settings_than_plaintext_connections_are_not_reported(settings: dict[str, str]) -> None:
    assert hosts_without_tls(settings) == {}


PROPERTIES = f"""
# spring.redis.host=not.this.one.example.com
spring.datasource.ssl=false
spring.datasource.host={DATABASE}
spring.data.redis.host = {HOST}
spring.data.redis.ssl.enabled = false
"""
YAML = f"""
database:
  host: {DATABASE}
  ssl: false
redis:
  nodes:
    - host: safe.redis.cache.windows.net
      port: 6380
    - port: 6379
      host: "{HOST}"
"""
INI = f"""
[database]
host={DATABASE}
ssl=off
[redis]
host={HOST}
port=6379
"""
JSON = f"""{{
  "database": {{
    "host": "{DATABASE}"
  }},
  "redis": {{
    "host": "{HOST}",
    "ssl": false
  }}
}}
"""
LINES = f"""
database: {DATABASE}
pool: 5
cache: redis://{HOST}/0
"""


@pytest.mark.parametrize(
    "text", [PROPERTIES, YAML, INI, JSON, LINES], ids=["properties", "yaml", "ini", "json", "line"]
)
def test_a_plaintext_connection_in_a_file_is_found_and_no_other(text: str) -> None:
    told = set(hosts_without_tls({"application": text})["application"])
    assert told - {DATABASE} == {HOST}
    without = hosts_without_tls({"application": text.replace(HOST, "")}).get("application", ())
    assert set(without) == told - {HOST}


def test_settings_of_another_section_do_not_describe_the_cache() -> None:
    safe = YAML.replace("port: 6379", "port: 6380").replace("database:", "database:\n  port: 6379")
    assert HOST not in hosts_without_tls({"application.yaml": safe}).get("application.yaml", ())
    ini = INI.replace("port=6379", "port=6380")
    assert HOST not in hosts_without_tls({"app.ini": ini}).get("app.ini", ())


def test_a_secret_value_reports_no_host_unless_its_name_declares_one() -> None:
    assert plaintext_in("REDIS_PASSWORD", "hunter.two").host is None
    assert plaintext_in("REDIS_HOST", HOST).host == HOST
    assert plaintext_in("anything", HOST, public=True).host == HOST


@pytest.mark.parametrize(
    "text",
    [
        *("a." * 50_000 + ":6379", "-" * 100_000, "a.\n" * 90_000, " " * 100_000 + "\nx", "- " * 100_000 + "\nx"),
        *("".join(f"{' ' * depth}k:\n" for depth in range(700)), "redis://" * 40_000 + "\n", '"' * 250_000 + "\n="),
    ],
)
def test_a_hostile_value_is_not_searched_for_ever(text: str) -> None:
    started = time.process_time()
    assert hosts_without_tls({"BIG": text, "ssl": "false"}) == {}
    assert time.process_time() - started < 2


def test_only_the_start_of_a_value_is_searched() -> None:
    uri = f" redis://{HOST}"
    assert plaintext_in("X", "x" * 4000 + uri).hosts == (HOST,)
    assert plaintext_in("X", "x" * 4096 + uri).hosts == ()
    assert plaintext_in("X", "a: b\n" + "x" * 4000 + uri).hosts == (HOST,)
    assert plaintext_in("X", "a: b\n" + "x" * 4096 + uri).hosts == ()
    assert plaintext_in("X", "#\n" * 130_000 + uri).hosts == (HOST,)
    assert plaintext_in("X", "#\n" * 131_072 + uri).hosts == ()


def test_what_is_longer_than_a_host_is_none() -> None:
    assert plaintext_in("REDIS_HOST", "a." * 120 + "example.com").host is not None
    assert plaintext_in("REDIS_HOST", "a." * 130 + "example.com").host is None
