"""When the Activity Log is read for a difference, and for which time."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import Key
from secure_redis.domain.observe.authors import SKEW, Author
from secure_redis.domain.observe.cache import Write
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.reconciler.observe.ages import Ages
from secure_redis.reconciler.observe.writers import MOST_CHILDREN, QUERY_SECONDS, WriterReader
from tests.builders.passes import cache, observation, resource
from tests.builders.world import NOW

KEY = Key("shop", "orders")
AGES = Ages(of_interval=0.5)  # of 300 seconds
PASSES = timedelta(minutes=5)
TLS = ("transport.minimumTLSVersion", "1.0")


class Log:
    """An Activity Log that records the questions."""

    def __init__(self) -> None:
        self.asked: list[tuple[str | None, datetime]] = []  # rule, since
        self.answer: tuple[Write, ...] | Unknown = ()
        self.seconds = 0.0

    async def writes(
        self, _identity: Any, _cache: Any, since: datetime, _until: datetime, *, child: str | None = None
    ) -> tuple[Write, ...] | Unknown:
        self.asked.append((child, since))
        return self.answer

    def reader(self) -> WriterReader:
        return WriterReader(self, AGES, lambda: self.seconds)  # type: ignore[arg-type]


def same(minutes: float = 0) -> Observation:
    return replace(observation(), now=NOW + timedelta(minutes=minutes))


def differing(minutes: float = 0) -> Observation:
    return replace(observation(cache=cache(minimum_tls_version="1.0")), now=NOW + timedelta(minutes=minutes))


def walled(*names: str) -> Observation:
    rules = tuple(FirewallRuleFacts(name, "203.0.113.1", "203.0.113.1") for name in names)
    return replace(observation(), firewall_rules=rules)


async def test_a_new_difference_is_queried_at_once_and_again_minutes_later() -> None:
    log = Log()
    reader = log.reader()
    await reader.read(resource(), same())
    assert log.asked == []
    for seconds, asked in ((0.0, 1), (QUERY_SECONDS - 1, 1), (QUERY_SECONDS, 2)):
        log.seconds = seconds
        await reader.read(resource(), differing(5))
        assert len(log.asked) == asked, seconds


async def test_the_time_in_which_the_value_changed_stays_that_of_its_first_observation() -> None:
    log = Log()
    reader = log.reader()
    await reader.read(resource(), same())
    reader.unchanged(KEY, NOW + PASSES)
    log.answer = (Write("a@shop.test", NOW + timedelta(minutes=7)), Write("b@shop.test", NOW + timedelta(minutes=1)))
    found = await reader.read(resource(), differing(10))
    assert log.asked == [(None, NOW + PASSES - timedelta(seconds=150) - SKEW)]
    assert found.authors == {TLS: Author("a@shop.test", NOW + timedelta(minutes=7))}
    log.seconds = QUERY_SECONDS
    log.answer = (Write("c@shop.test", NOW + timedelta(minutes=14)), *log.answer)
    assert (await reader.read(resource(), differing(15))).authors == found.authors


async def test_after_a_start_or_a_change_of_the_spec_it_is_unknown_when_a_value_changed() -> None:
    log = Log()
    log.answer = (Write("a@shop.test", NOW),)
    assert (await log.reader().read(resource(), differing())).authors == {}
    reader = log.reader()
    await reader.read(resource(), same())
    assert (await reader.read(replace(resource(), generation=2), differing(5))).authors == {}
    reader.forget(KEY)
    assert (await reader.read(resource(), differing(5))).authors == {}
    assert log.asked == []


async def test_the_log_of_each_firewall_rule_is_read_up_to_a_limit() -> None:
    log = Log()
    log.answer = (Write("a@shop.test", NOW - timedelta(minutes=2)),)
    declared = {"firewallRules": [{"name": "office", "startIP": "203.0.113.9", "endIP": "203.0.113.9"}]}
    found = await log.reader().read(resource({"network": declared}), walled("office", "home"))
    assert [child for child, _ in log.asked] == ["firewallRules/home", "firewallRules/office"]
    assert {path: author.caller for (path, _), author in found.authors.items()} == {
        "network.firewallRules[home]": "a@shop.test",
        "network.firewallRules[office]": "a@shop.test",
    }
    log.asked.clear()
    await log.reader().read(resource({"network": declared}), walled(*(f"home{n}" for n in range(MOST_CHILDREN))))
    assert len(log.asked) == MOST_CHILDREN


async def test_a_log_that_may_not_be_read_is_not_queried_for_an_hour() -> None:
    log = Log()
    reader = log.reader()
    await reader.read(resource(), same())
    log.answer = Unknown(Reason.AZURE_DENIED, "no right")
    for seconds, asked in ((0.0, 1), (3599.0, 1), (3601.0 + QUERY_SECONDS, 2)):
        log.seconds = seconds
        await reader.read(resource(), differing(5))
        assert len(log.asked) == asked, seconds
