"""Who changed a cache, as the operator reads it from the Activity Log."""

from datetime import UTC, datetime, timedelta

from sandbox.azure.arm.activity_log import PORTAL_USER
from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.seeds import FirewallRule
from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.resource_manager import ResourceManager
from secure_redis.azure.governance.activity_log import CHANGES_WITHIN, READ_EVENTS, Activity
from secure_redis.domain.observe.unknown import Unknown

from .conftest import Site


def _activity(site: Site, own: str | None = None) -> Activity:
    return Activity(ResourceManager(site.transport, site.credentials), own)


def _soon() -> datetime:
    return datetime.now(UTC) + timedelta(minutes=1)


async def test_without_the_right_it_is_unknown_and_the_right_is_named(site: Site) -> None:
    site.add_cache()
    found = await _activity(site).changes(site.identity, site.cache, _soon())
    assert isinstance(found, Unknown)
    assert (found.reason, found.permission) == (Reason.AZURE_DENIED, READ_EVENTS)


async def test_changes_by_others_to_this_cache_within_the_time(site: Site) -> None:
    site.add_cache()
    site.allow(READ_EVENTS, scope=seeds.subscription_scope(site.subscription))
    activity = _activity(site)
    assert await activity.changes(site.identity, site.cache, _soon()) == ()
    site.control.redis.update(site.name, {"minimumTlsVersion": "1.0"})
    found = await activity.changes(site.identity, site.cache, _soon())
    assert not isinstance(found, Unknown)
    assert [(one.caller, one.operation, one.own) for one in found] == [
        (PORTAL_USER, "Microsoft.Cache/redis/write", False)
    ]
    later = found[0].at + CHANGES_WITHIN + timedelta(seconds=1)  # the simulator's clock may be ahead of the test's
    assert await activity.changes(site.identity, site.cache, later) == ()


async def test_writes_to_the_cache_and_to_each_firewall_rule_are_apart(site: Site) -> None:
    site.add_cache()
    site.allow(READ_EVENTS, scope=seeds.subscription_scope(site.subscription))
    activity, since = _activity(site), datetime.now(UTC) - timedelta(hours=1)

    async def callers(child: str | None = None) -> list[str]:
        found = await activity.writes(site.identity, site.cache, since, _soon(), child=child)
        assert not isinstance(found, Unknown)
        return [one.caller for one in found]

    site.control.redis.update(
        site.name, firewall_rules=[FirewallRule(name="office", start="203.0.113.1", end="203.0.113.1")]
    )
    assert (await callers(), await callers("firewallRules/office"), await callers("firewallRules/home")) == (
        [],
        [PORTAL_USER],
        [],
    )
    site.control.redis.update(site.name, firewall_rules=[])
    assert (await callers(), await callers("firewallRules/office")) == ([], [PORTAL_USER] * 2)
    site.control.redis.update(site.name, {"minimumTlsVersion": "1.0"})
    assert (await callers(), await callers("firewallRules/office")) == ([PORTAL_USER], [PORTAL_USER] * 2)
