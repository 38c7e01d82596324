import sys

import pytest
from azure.core.pipeline.policies import AsyncRetryPolicy

from secure_redis.azure.core.policies import NoRetries, is_write, operation_name

CACHE = "https://management.azure.com/subscriptions/s/resourceGroups/g/providers/Microsoft.Cache/redis/c"


@pytest.mark.parametrize(
    ("method", "url", "write", "name"),
    [
        ("GET", f"{CACHE}?api-version=1", False, "GET redis"),
        ("PUT", f"{CACHE}?api-version=1", True, "PUT redis"),
        ("PATCH", CACHE, True, "PATCH redis"),
        ("DELETE", CACHE, True, "DELETE redis"),
        ("POST", f"{CACHE}/listKeys?api-version=1", False, "POST redis/listKeys"),
        ("POST", f"{CACHE}/regenerateKey", True, "POST redis/regenerateKey"),
        ("GET", f"{CACHE}/firewallRules", False, "GET redis/firewallRules"),
        ("PUT", f"{CACHE}/firewallRules/office", True, "PUT redis/firewallRules"),
        (
            "POST",
            "https://management.azure.com/subscriptions/s/providers/Microsoft.Cache/CheckNameAvailability",
            False,
            "POST CheckNameAvailability",
        ),
        (
            "POST",
            "https://management.azure.com/subscriptions/s/providers/Microsoft.Cache/register",
            True,
            "POST register",
        ),
        (
            "GET",
            "https://management.azure.com/subscriptions/s/providers/Microsoft.Cache/locations/w/asyncOperations/x?t=1",
            False,
            "GET locations/asyncOperations",
        ),
        ("GET", "https://v.vault.azure.net/secrets/n/?api-version=7.6", False, "GET secrets"),
        ("GET", "https://v.vault.azure.net/secrets/n/0123456789abcdef0123456789abcdef", False, "GET secrets"),
        ("GET", "https://v.vault.azure.net/secrets/n/versions?$skiptoken=1", False, "GET secrets/versions"),
        ("PUT", "https://v.vault.azure.net/secrets/n", True, "PUT secrets"),
        ("POST", "https://login.microsoftonline.com/t/oauth2/v2.0/token", False, "POST token"),
        ("GET", "https://management.azure.com/", False, "GET other"),
    ],
)
def test_what_a_request_is(method: str, url: str, write: bool, name: str) -> None:
    assert is_write(method, url) is write
    assert operation_name(method, url) == name


def test_a_pipeline_that_repeats_nothing_keeps_no_codes() -> None:
    def size(policy: object) -> int:
        return sum(map(sys.getsizeof, vars(policy).values()))

    # Should the SDK keep its codes elsewhere, `NoRetries` does not make it smaller any more.
    assert size(NoRetries()) < 2000 < size(AsyncRetryPolicy(retry_total=0))
