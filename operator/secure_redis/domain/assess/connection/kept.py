"""Find the entries that must not disappear from the Secret yet, because a pod that starts again would miss them. Pure.

A container whose env names an absent entry does not start (CreateContainerConfigError), also one of a pod that runs.
"""

import json
from collections.abc import Mapping

from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.connection.forms import ENTRIES, RESERVED
from secure_redis.domain.assess.connection.templates import accepted
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import NotRead, Unknown


def kept(resource: SecureRedisCache, observed: Observation) -> Mapping[str, str]:
    """Return the entries of the published Secret that are still in use, each with its template.

    Those are the entries that the env of a listed or injected workload names. While such a workload rolls out, all
    entries count, because pods of its former template may name any of them. `ssl` is the exception: an application
    that does not start because of this file never finishes its rollout.
    """
    there, found = observed.secret, observed.workloads
    if not isinstance(there, SecretFacts) or (isinstance(found, NotRead) and not resource.spec.workloads):
        return {}
    known = {**ENTRIES, **declared_earlier(there)}
    published = {name: known[name] for name in there.data if name in known}
    if isinstance(found, Unknown | NotRead):
        return published
    in_use = {
        env.key
        for facts in found
        for container in facts.containers
        for env in container.env
        if env.secret == resource.secret_name
    }
    if not all(facts.rolled for facts in found):
        in_use |= published.keys() - {"ssl"}
    return {name: template for name, template in published.items() if name in in_use}


def declared_earlier(secret: SecretFacts) -> Mapping[str, str]:
    """Return the entries that the resource declared itself when the Secret was written, each with its template."""
    try:
        found = json.loads(secret.annotations.get(names.SECRET_ENTRIES, "{}"))
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        name: template
        for name, template in found.items()
        if name not in RESERVED and isinstance(template, str) and (accepted(template) or template in ENTRIES.values())
    }


def entries_annotation(declared: Mapping[str, str]) -> dict[str, str]:
    """Return the Secret's annotation that `declared_earlier` reads; empty where nothing is declared."""
    return {names.SECRET_ENTRIES: json.dumps(declared, sort_keys=True)} if declared else {}
