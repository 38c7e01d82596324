"""Rules on the workloads that use the key: whether it is current, how they read it, and where else it is stored."""

from collections.abc import Callable

from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Restart
from secure_redis.domain.assess.rules.rule import (
    NOT_APPLICABLE,
    PASS,
    Check,
    Rule,
    Severity,
    Verdict,
    fail,
    some,
    unknown,
    unread,
)
from secure_redis.domain.explanation import by_number
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import NOT_READ, NotRead, Unknown
from secure_redis.domain.observe.workload_match import consents, current, matches
from secure_redis.domain.observe.workloads import WorkloadFacts

WORKLOAD_RIGHTS = "the operator's permissions on workloads in the namespace (the chart's workloads.enabled)"

WorkloadsCheck = Callable[[SecureRedisCache, Observation, tuple[WorkloadFacts, ...]], Verdict]


def _on_workloads(assess: WorkloadsCheck) -> Check:
    """Build a check of the workloads that were read; not applicable where the resource lists none."""

    def check(resource: SecureRedisCache, observed: Observation) -> Verdict:
        if not resource.spec.workloads:
            return NOT_APPLICABLE
        if isinstance(observed.workloads, Unknown | NotRead):
            return unread("the workloads", observed.workloads)
        return assess(resource, observed, tuple(one for one in observed.workloads if not one.deleting))

    return check


def _called(facts: WorkloadFacts) -> str:
    return f"{facts.kind} {facts.name!r}"


def _rolled(resource: SecureRedisCache, observed: Observation, there: tuple[WorkloadFacts, ...]) -> Verdict:
    secret = observed.secret
    if isinstance(secret, Unknown | NotRead):
        return unread("the published Secret", secret)
    if secret is None:
        return NOT_APPLICABLE  # no key is published
    version = secret.annotations.get(names.SECRET_VERSION) if secret.owner_uid == resource.uid else None
    if version is None:
        return unknown("no Secret of this resource names the published version")
    behind: list[str] = []
    moving = False
    for entry in resource.spec.workloads:
        for facts in (one for one in there if matches(entry, one) and consents(resource, one)):
            if facts.failed is not None:
                behind.append(f"{_called(facts)} (its rollout failed: {facts.failed})")
            elif not facts.rolled:
                moving = True
            elif entry.restart is Restart.ROLLING and not current(resource, facts, version):
                behind.append(_called(facts))
    if behind:
        return fail(f"do not have the key that is published: {some(behind)}")
    return NOT_APPLICABLE if moving else PASS


def _copies(resource: SecureRedisCache, observed: Observation) -> Verdict:
    found = observed.secret_copies
    if resource.spec.authentication is None or found == NOT_READ:
        return NOT_APPLICABLE  # reading other Secrets is off unless the operator's configuration enables it
    if isinstance(found, Unknown | NotRead):
        return unread("the namespace's other Secrets", found)
    copies = [f"{one.name} ({one.key})" for one in found if not one.plaintext]
    plain = [f"{one.name} ({one.key})" for one in found if one.plaintext]
    faults = [f"the key also lies in {some(copies)}"] if copies else []
    if plain:
        faults.append(f"a connection without TLS lies in {some(plain)}")
    return fail("; ".join(faults)) if faults else PASS


def _by_env(resource: SecureRedisCache, _: Observation, there: tuple[WorkloadFacts, ...]) -> Verdict:
    reading = [
        f"{_called(facts)} ({container.name})"
        for facts in there
        for container in facts.containers
        if any(env.secret == resource.secret_name for env in container.env)
    ]
    verb = by_number(len(reading), "reads", "read")
    return fail(f"{some(reading)} {verb} the key from an environment variable") if reading else PASS


def _bound(resource: SecureRedisCache, _: Observation, there: tuple[WorkloadFacts, ...]) -> Verdict:
    wrong: list[str] = []
    for entry in resource.spec.workloads:
        selected = [facts for facts in there if matches(entry, facts)]
        if not selected:
            what = f"{entry.kind} {entry.name!r}" if entry.name is not None else f"{entry.kind} by its selector"
            wrong.append(f"{entry.id}: no {what}")
        for facts in selected:
            has = {(container.name, container.init) for container in facts.containers}
            declared = [
                *((name, False) for name in entry.containers),
                *((name, True) for name in entry.init_containers),
            ]
            missing = [name for name, init in declared if (name, init) not in has]
            if missing:
                wrong.append(f"{entry.id}: {_called(facts)} has no container {some(missing)}")
    return fail(f"listed and missing: {some(wrong)}") if wrong else PASS


RULES = (
    Rule(
        "W1",
        "Every listed workload was rolled out since the key changed",
        Severity.LOW,
        _on_workloads(_rolled),
        "see status.workloads; repair what failed, or restart it",
        strict=Severity.MEDIUM,
        why="Its pods hold an older key, which the next rotation invalidates.",
        reads=(
            "the workloads that spec.workloads lists and that consent; not applicable without such a workload, or "
            "while one "
            "is rolling"
        ),
        needs=(WORKLOAD_RIGHTS,),
    ),
    Rule(
        "W2",
        "No other Secret contains the key, or a connection to the cache without TLS",
        Severity.MEDIUM,
        _copies,
        "let its users take the published Secret, and delete the copy",
        strict=Severity.HIGH,
        why="No rotation renews a copy, and the operator does not protect it.",
        reads=(
            "the values of the namespace's other Secrets, with the operator's own permission to list them there. The "
            "operator reports only the names of Secrets and keys. It searches for the host that Azure reports, and "
            "for keys that Azure listed or AUTH proved. It never searches for a value that is only in a vault. It "
            "does not read Secrets of Helm releases, tokens of ServiceAccounts and bootstrap, certificates, image "
            "registries and values that are encoded again. Not applicable unless the operator's configuration sets "
            "compliance.foreignSecrets"
        ),
        needs=(
            "the operator's RoleBinding in the namespace, with list on Secrets (the chart's secrets.searchForeign)",
            "compliance.foreignSecrets: true (which that value sets)",
        ),
    ),
    Rule(
        "W3",
        "Listed workloads read the key from files",
        Severity.INFO,
        _on_workloads(_by_env),
        "use mountPath (with restart: None and reloadsFiles: true if the application re-reads them)",
        why=(
            "An environment variable changes only with a restart, is inherited by every child process and shown in "
            "dumps."
        ),
        reads="the containers of the workloads that spec.workloads lists; not applicable without such a workload",
        needs=(WORKLOAD_RIGHTS,),
    ),
    Rule(
        "W4",
        "Listed workloads and containers exist",
        Severity.LOW,
        _on_workloads(_bound),
        "correct spec.workloads, or create what it names",
        strict=Severity.MEDIUM,
        why="The spec expects a consumer, and the operator injects nothing into it.",
        reads="the workloads that spec.workloads lists; not applicable without such a workload",
        needs=(WORKLOAD_RIGHTS,),
    ),
)
