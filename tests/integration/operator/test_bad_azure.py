"""Failures of the cache or of Azure after a good Secret was published, and resources that never get that far."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from sandbox.azure.seeds import seeds
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import CACHE_KEYS, CACHE_READ, SUBSCRIPTION, TENANT, Team, World
from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.row import Trait
from tests.integration.operator.support import Bystander, Case

BUSY = 12  # calls to Azure for one check of one resource; more would be a loop


@dataclass(frozen=True)
class Row:
    """The row's values of CacheAvailable; `ready`: what Ready says then."""

    name: str
    breaks: Callable[[Case], object]
    available: str
    reason: str
    says: str
    mends: Callable[[Case], object]
    ready: str = "False"


def _answer(status: int, code: str, message: str) -> dict[str, object]:
    return {"service": "arm", "status": status, "body": {"error": {"code": code, "message": message}}}


def _state(state: str) -> Callable[[Case], None]:
    return lambda case: case.update({"provisioningState": state})


def _deny(case: Case) -> None:
    case.control.access.unassign(case.team.object_id, case.team.group_scope)


ROWS = (
    Row("failed", _state("Failed"), "False", "CacheFailed", "repair it", _state("Succeeded")),
    Row("disabled", _state("Disabled"), "False", "CacheDisabled", "Disabled", _state("Succeeded")),
    pytest.param(
        Row("stuck creating", _state("Creating"), "False", "Creating", "creat", _state("Succeeded")),
        id="stuck creating",
    ),
    Row("stuck updating", _state("Updating"), "True", "Available", "6380", _state("Succeeded"), ready="True"),
    Row("stuck scaling", _state("Scaling"), "True", "Available", "6380", _state("Succeeded"), ready="True"),
    Row("an unheard-of state", _state("Pondering"), "True", "Available", "6380", _state("Succeeded"), ready="True"),
    Row(
        "no route",
        lambda c: c.control.redis.set_private_endpoint(c.cache, "shop", "Rejected"),
        "False",
        "NoRoute",
        "create a private endpoint",
        lambda c: c.control.redis.set_private_endpoint(c.cache, "shop", "Approved"),
    ),
    Row(
        "role taken away",
        _deny,
        "Unknown",
        "AzureDenied",
        "Microsoft.Cache/redis/read",
        lambda c: c.allow(*CACHE_READ, *CACHE_KEYS),
        ready="Unknown",
    ),
    Row(
        "401",
        lambda c: c.fault(**_answer(401, "InvalidAuthenticationToken", "The access token is invalid.")),
        "Unknown",
        "TokenRefused",
        "refused the identity's token",
        Case.mend_faults,
        ready="Unknown",
    ),
    Row(
        "429 with Retry-After",
        lambda c: c.fault(**_answer(429, "TooManyRequests", "slow"), headers={"Retry-After": "1"}),
        "Unknown",
        "AzureThrottled",
        "throttling",
        Case.mend_faults,
        ready="True",
    ),
    Row(
        "500",
        lambda c: c.fault(**_answer(500, "InternalServerError", "sorry")),
        "Unknown",
        "AzureError",
        "answered 500",
        Case.mend_faults,
        ready="True",
    ),
    Row(
        "503 with Retry-After",
        lambda c: c.fault(**_answer(503, "ServerBusy", "sorry"), headers={"Retry-After": "1"}),
        "Unknown",
        "AzureError",
        "answered 503",
        Case.mend_faults,
        ready="True",
    ),
    Row(
        "HTML",
        lambda c: c.fault(service="arm", kind="html", status=502),
        "Unknown",
        "AzureError",
        "Resource Manager",
        Case.mend_faults,
        ready="True",
    ),
    Row(
        "HTML with 200",
        lambda c: c.fault(service="arm", kind="html", status=200),
        "Unknown",
        "AzureError",
        "proxy",
        Case.mend_faults,
        ready="True",
    ),
    Row(
        "truncated",
        lambda c: c.fault(service="arm", kind="truncated"),
        "Unknown",
        "AzureError",
        "truncated",
        Case.mend_faults,
        ready="True",
    ),
    Row(
        "reset",
        lambda c: c.fault(service="arm", kind="reset"),
        "Unknown",
        "AzureUnreachable",
        "broke before the answer",
        Case.mend_faults,
        ready="True",
    ),
    Row(
        "a 200 that is no cache",
        lambda c: c.fault(service="arm", status=200, body={"hello": "world"}),
        "Unknown",
        "AzureError",
        "answer",
        Case.mend_faults,
        ready="True",
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: getattr(row, "name", None))
def test_a_good_secret_survives(case: Case, bystander: Bystander, row: Row) -> None:
    case.published()
    with case.untouched():
        row.breaks(case)
        mark = case.control.log.position()
        case.poke()
        status, reason, message = case.condition("CacheAvailable")
        assert (status, reason, row.says in message) == (row.available, row.reason, True), f"{reason}: {message}"
        assert case.condition("Ready")[0] == row.ready, case.condition("Ready")
        assert case.has("Stalled") == has(reason, Trait.TERMINAL)
        bystander.goes_on()
        assert case.calls(mark) <= BUSY
    row.mends(case)
    case.heal("CacheAvailable", "True", "Available")
    assert case.condition("Ready")[0] == "True"
    assert case.writes() == []


def test_unknown_is_never_shown_as_safe(case: Case) -> None:
    case.published()
    case.fault(**_answer(500, "InternalServerError", "sorry"))
    case.poke()
    for kind in ("CacheAvailable", "CredentialsSynced"):
        assert case.condition(kind)[:2] == ("Unknown", "AzureError"), kind
    for kind in ("TransportSecured", "Compliant", "DriftDetected"):
        assert case.condition(kind)[:2] == ("Unknown", "NotReady"), kind
    assert case.condition("Ready")[0] == "True"


def test_a_silent_azure_delays_no_other_resource(case: Case, bystander: Bystander) -> None:
    case.published()
    with case.untouched():
        case.fault(service="arm", kind="hang")
        case.annotate(refresh="hanging")
        wait_for(lambda: case.control.faults.hits()[case.faults[0]], PATIENCE, "a request to hang")
        bystander.goes_on()
        case.mend_faults()
        case.heal("CacheAvailable", "True")
    case.until("Ready", "True")


def test_entra_answering_badly(case: Case) -> None:
    """A new identity needs a token, and Entra answers its tenant's token endpoint with an error page."""
    case.exists()
    case.store()
    path = f"/{TENANT}/oauth2"
    case.fault(service="entra", path=path, principal=None, kind="html", status=502)
    case.apply()
    assert "Entra" in case.until("CacheAvailable", "Unknown")
    assert case.condition("Ready")[0] == "Unknown"
    assert case.secret() is None
    case.mend_faults()
    case.heal()


def test_clocks_that_differ(case: Case) -> None:
    """Entra's clock is two hours ahead: the ServiceAccount's token is over before it is used."""
    case.exists()
    case.store()
    with case.control.settings.during(clock_skew_seconds=7200):
        case.apply()
        message = case.until("CacheAvailable", "Unknown", "TokenRefused")
        assert "check the clocks" in message
        assert case.secret() is None
    case.heal()


def test_a_little_skew_does_not_matter(case: Case) -> None:
    with case.control.settings.during(clock_skew_seconds=-200):
        case.published()


# --- what was never there -------------------------------------------------------------------------------------------


def test_a_missing_cache(case: Case, bystander: Bystander) -> None:
    case.apply()
    message = case.until("Ready", "False", "CacheNotFound")
    assert case.cache in message
    case.until("CacheAvailable", "False", "CacheNotFound")
    assert case.secret() is None
    bystander.goes_on()
    case.exists()
    case.store()
    case.heal()
    assert case.writes() == []


def test_a_missing_group(case: Case) -> None:
    missing = f"gone-{uuid.uuid4().hex[:8]}"
    scope = seeds.group_scope(SUBSCRIPTION, missing)
    case.allow(*CACHE_READ, *CACHE_KEYS, scope=scope)
    case.apply(resourceID=seeds.cache_scope(SUBSCRIPTION, missing, case.cache), key=False)
    assert missing in case.until("Ready", "False", "CacheNotFound")
    case.control.seed(
        seeds.Group(subscription=SUBSCRIPTION, name=missing),
        seeds.Cache(subscription=SUBSCRIPTION, group=missing, name=case.cache),
    )
    case.heal("Ready", "True", "Assessed")


def test_an_unknown_subscription(case: Case, bystander: Bystander) -> None:
    unknown = str(uuid.uuid4())
    case.apply(resourceID=seeds.cache_scope(unknown, "shop", case.cache), key=False)
    message = case.until("CacheAvailable", "Unknown", "SubscriptionUnavailable")
    assert unknown in message
    case.until("Stalled", "True", "SubscriptionUnavailable")
    assert case.condition("Ready")[0] != "True"
    bystander.goes_on()
    case.control.seed(
        seeds.Subscription(id=unknown, tenant=TENANT),
        seeds.Group(subscription=unknown, name="shop"),
        seeds.Cache(subscription=unknown, group="shop", name=case.cache),
    )
    case.allow(*CACHE_READ, scope=seeds.group_scope(unknown, "shop"))
    case.heal()
    assert not case.has("Stalled")


def test_a_disabled_subscription_can_still_be_read(case: Case) -> None:
    disabled = str(uuid.uuid4())
    case.control.seed(
        seeds.Subscription(id=disabled, tenant=TENANT, state="Disabled"),
        seeds.Group(subscription=disabled, name="shop"),
        seeds.Cache(subscription=disabled, group="shop", name=case.cache),
    )
    case.allow(*CACHE_READ, scope=seeds.group_scope(disabled, "shop"))
    case.apply(resourceID=seeds.cache_scope(disabled, "shop", case.cache), key=False)
    case.until("Ready", "True")


def test_a_cache_of_the_other_service(world: World, teams: Callable[..., Team]) -> None:
    narrow = tuple(action for action in CACHE_READ if "redisEnterprise" not in action)
    case = Case(world, teams(cache_actions=narrow))
    other = case.team.cache_id(case.cache).replace("/redis/", "/redisEnterprise/")
    case.apply(resourceID=other, key=False)
    message = case.until("CacheAvailable", "Unknown", "AzureDenied")
    assert "Microsoft.Cache/redisEnterprise/read" in message
    assert not case.has("Stalled")
    case.allow("Microsoft.Cache/redisEnterprise/read")
    case.heal("CacheAvailable", "False", "CacheNotFound")


def test_a_cache_of_another_owner(world: World, case: Case, teams: Callable[..., Team]) -> None:
    """The id names a cache that exists, and that the identity may not read."""
    theirs = Case(world, teams(), "theirs")
    theirs.exists()
    case.apply(resourceID=theirs.team.cache_id(theirs.cache), key=False)
    message = case.until("CacheAvailable", "Unknown", "AzureDenied")
    assert "Microsoft.Cache/redis/read" in message
    assert theirs.team.name in message
    assert "assign a role" in message


ADMISSION = (
    ("", "resourceID"),
    ("orders", "resourceID must be"),
    ("/subscriptions/shop/resourceGroups/shop/providers/Microsoft.Cache/redis/orders", "resourceID must be"),
    (seeds.group_scope(SUBSCRIPTION, "shop"), "resourceID must be"),
    (f"{seeds.group_scope(SUBSCRIPTION, 'shop')}/providers/Microsoft.Sql/servers/orders", "resourceID must be"),
    (f"{seeds.cache_scope(SUBSCRIPTION, 'shop', 'orders')}/firewallRules/x", "resourceID must be"),
    (f"{seeds.cache_scope(SUBSCRIPTION, 'shop', 'orders')}?api-version=1", "resourceID must be"),
    (f"{seeds.cache_scope(SUBSCRIPTION, 'shop', 'orders')}\n", "resourceID must be"),
    (seeds.cache_scope(SUBSCRIPTION, "shop", "or--ders"), "resourceID must be"),
    (seeds.cache_scope(SUBSCRIPTION, "..", "orders"), "resourceID must be"),
    (seeds.cache_scope(SUBSCRIPTION, "shop", "o" * 64), "at most 63"),
    (seeds.cache_scope(SUBSCRIPTION, "%2e%2e", "orders"), "resourceID must be"),
)


@pytest.mark.parametrize(("identifier", "says"), ADMISSION)
def test_a_malformed_id_is_refused_at_admission(case: Case, identifier: str, says: str) -> None:
    answer = case.world.api.create(case.spec(key=False, resourceID=identifier))
    assert answer.status == 422
    assert says in answer.message
