"""The observation that the benchmarks assess: a safe Premium cache in which everything was read."""

import json
from datetime import datetime
from typing import Any

from secure_redis.api.resource import SecureRedisCache, parse
from secure_redis.domain.observe.endpoint import EndpointFacts
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.probe_target import Endpoint
from secure_redis.domain.observe.unknown import NOT_READ
from tests.builders import endpoint as endpoints
from tests.builders.complete import complete
from tests.builders.governance import role_assignment
from tests.builders.storage import account, encryption
from tests.builders.world import CACHE_ID, NOW


def body(namespace: str = "shop", name: str = "orders") -> dict[str, Any]:
    """Return a pure auditor with a waiver, as the API server delivers it."""
    document = {
        "metadata": {"namespace": namespace, "name": name, "uid": f"{namespace}-{name}", "resourceVersion": "1"},
        "spec": {
            "resourceID": CACHE_ID,
            "waivers": [{"rule": "R3", "reason": "one region", "owner": "shop", "expires": "2027-01-01"}],
        },
    }
    return dict(json.loads(json.dumps(document)))  # no text in it is shared


def resource() -> SecureRedisCache:
    """Return a pure auditor with a waiver and a declared firewall rule."""
    declared = body()
    declared["spec"]["network"] = {
        "firewallRules": [{"name": "office", "startIP": "203.0.113.0", "endIP": "203.0.113.255"}]
    }
    parsed = parse(declared)
    if not isinstance(parsed, SecureRedisCache):
        raise TypeError(parsed.message)
    return parsed


def endpoint(at: Endpoint, now: datetime = NOW) -> EndpointFacts:
    """Return the facts of a probe that found no problem."""
    return endpoints.endpoint(
        host=at.host,
        port=at.port,
        plaintext_port=at.plaintext_port,
        at=now,
        certificate=endpoints.certificate(at.host, now),
    )


def observation() -> Observation:
    """Return an auditor's observation with twenty firewall rules and role assignments. One rule fails."""
    return complete(
        firewall_rules=tuple(FirewallRuleFacts(f"rule{n}", f"198.51.100.{n}", f"198.51.100.{n}") for n in range(20)),
        role_assignments=tuple(role_assignment("a", "Microsoft.Cache/redis/*", role_id=f"role{n}") for n in range(20)),
        storage=account(encryption=encryption(identity_id=None)),
        keys=NOT_READ,
        vault=NOT_READ,
        secret=NOT_READ,
    )
