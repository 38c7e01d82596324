from dataclasses import replace
from typing import Any

import pytest

from secure_redis.azure.core.clouds import (
    CHINA,
    CLOUDS,
    PUBLIC,
    US_GOVERNMENT,
    Cloud,
    host_of,
)

CUSTOM = Cloud(
    name="Custom",
    resource_manager="https://arm.sandbox.test:8443",
    resource_manager_scope="https://arm.sandbox.test:8443/.default",
    authority="https://login.sandbox.test:8443",
    vault_suffixes=("vault.sandbox.test:8443",),
    redis_suffixes=("redis.sandbox.test",),
)


@pytest.mark.parametrize(
    ("cloud", "uri"),
    [
        (PUBLIC, "https://shop.vault.azure.net"),
        (PUBLIC, "https://SHOP.Vault.Azure.Net/"),
        (PUBLIC, "https://shop.vault.azure.net:443/"),
        (CHINA, "https://shop.vault.azure.cn"),
        (US_GOVERNMENT, "https://shop.vault.usgovcloudapi.net"),
        (CUSTOM, "https://shop.vault.sandbox.test:8443"),
    ],
)
def test_a_vault_of_the_cloud_is_allowed(cloud: Cloud, uri: str) -> None:
    assert cloud.allows_vault(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "http://shop.vault.azure.net",
        "https://vault.azure.net",
        "https://evilvault.azure.net",
        "https://shop.vault.azure.net.evil.example",
        "https://shop.vault.azure.net@evil.example",
        "https://user@shop.vault.azure.net",
        "https://user:pw@shop.vault.azure.net",
        "https://evil.example#.vault.azure.net",
        "https://evil.example?.vault.azure.net",
        "https://evil.example/.vault.azure.net",
        "https://evil.example\\.vault.azure.net",
        "https://a.b.vault.azure.net",
        "https://-a.vault.azure.net",
        "https://shop.vault.azure.net.",
        "https://shop.vault.azure.net:8443",
        "https://shop.vault.azure.net:99999",
        "https://shop.vault.azure.net:x",
        "https://shop.vault.azure.net/secrets/x",
        "https://shop.vault.azure.net?x=1",
        "https://shop.vault.azure.net#x",
        "https://shop.vault.azure.cn",
        "https://shop%2evault.azure.net",
        "https://shop\u3002vault.azure.net",
        "https://\u017fhop.vault.azure.net",
        " https://shop.vault.azure.net",
        "https://shop.vault.azure.net\n",
        "https://shop.\tvault.azure.net",
        "//shop.vault.azure.net",
        "shop.vault.azure.net",
        "https://[::1].vault.azure.net",
        "https://[::1",
        "",
    ],
)
def test_anything_else_is_not(uri: str) -> None:
    assert not PUBLIC.allows_vault(uri)


def test_a_suffix_with_a_port_allows_only_that_port() -> None:
    assert not CUSTOM.allows_vault("https://shop.vault.sandbox.test")
    assert CUSTOM.vault_scope("https://shop.vault.sandbox.test:8443") == "https://vault.sandbox.test:8443/.default"
    assert PUBLIC.vault_scope("https://shop.vault.azure.net/") == "https://vault.azure.net/.default"
    assert PUBLIC.vault_scope("https://shop.vault.azure.cn/") is None


@pytest.mark.parametrize(
    ("url", "owned"),
    [
        ("https://management.azure.com/subscriptions?api-version=1&$skiptoken=a%20b", True),
        ("https://westeurope.management.azure.com/x", True),
        ("https://management.azure.com:443/x", True),
        ("https://evilmanagement.azure.com/x", False),
        ("https://management.azure.com.evil.example/x", False),
        ("http://management.azure.com/x", False),
        ("https://management.azure.com:444/x", False),
        ("https://login.microsoftonline.com/tenant/oauth2/v2.0/token", True),
        ("https://x.login.microsoftonline.com/", False),
        ("https://vault.azure.net", True),  # a challenge's resource
        ("https://azure.net", False),
        ("https://shop.vault.azure.net/secrets/x/versions?$skiptoken=1", True),
        ("https://169.254.169.254/metadata", False),
    ],
)
def test_urls_of_answers_belong_to_the_cloud_or_not(url: str, owned: bool) -> None:
    assert PUBLIC.owns(url) is owned


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("orders.redis.cache.windows.net", True),
        ("Orders.Redis.Cache.Windows.Net", True),
        ("redis.cache.windows.net", False),
        ("a.b.redis.cache.windows.net", False),
        ("orders.redis.cache.windows.net.evil.example", False),
        ("orders.redis.cache.windows.net:6380", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_redis_hosts(host: str, allowed: bool) -> None:
    assert PUBLIC.allows_redis_host(host) is allowed


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("orders.westeurope.redis.azure.net", True),
        ("ORDERS.westus2.RedisEnterprise.cache.azure.net", True),
        ("orders.redis.azure.net", False),
        ("a.orders.westeurope.redis.azure.net", False),
        ("orders.westeurope.redis.azure.net.evil.example", False),
        ("orders.westeurope.evilredis.azure.net", False),
        ("orders.redis.cache.windows.net", False),
        ("redis.azure.net", False),
        ("", False),
    ],
)
def test_hosts_of_managed_redis(host: str, allowed: bool) -> None:
    assert PUBLIC.allows_managed_redis_host(host) is allowed
    assert not CHINA.allows_managed_redis_host(host)
    assert not (allowed and PUBLIC.allows_redis_host(host))  # no key is sent there


def test_host_of_leaves_out_the_usual_port_only() -> None:
    assert host_of("https://A.example:443/x") == "a.example"
    assert host_of("https://a.example:8443") == "a.example:8443"
    assert host_of("http://a.example") is None


def test_no_cloud_owns_the_hosts_of_another() -> None:
    for cloud in CLOUDS.values():
        for other in CLOUDS.values():
            if cloud is not other:
                assert not cloud.owns(other.resource_manager)
                assert not cloud.owns(other.authority)
                assert not cloud.allows_vault(f"https://a.{other.vault_suffixes[0]}")


@pytest.mark.parametrize(
    "change",
    [
        {"resource_manager": "http://management.azure.com"},
        {"resource_manager": "https://management.azure.com/"},
        {"authority": "login.microsoftonline.com"},
        {"authority": "https://login.microsoftonline.com/tenant"},
        {"resource_manager_scope": "https://management.azure.com"},
        {"vault_suffixes": ()},
        {"vault_suffixes": ("net",)},
        {"vault_suffixes": (".vault.azure.net",)},
        {"vault_suffixes": ("vault.azure.net:port",)},
        {"vault_suffixes": ("vault.azure.net/",)},
        {"redis_suffixes": ("",)},
    ],
)
def test_a_cloud_that_cannot_work_is_refused_by_field(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(PUBLIC, **change).check()


def test_clouds_that_work() -> None:
    for cloud in (*CLOUDS.values(), CUSTOM):
        cloud.check()
