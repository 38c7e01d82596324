"""Plan the published Secret. A Secret of others is never touched, and a good one is never lost."""

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import Envelope, SecureRedisCache
from secure_redis.api.spec.spec import Publish
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.assess.connection_secret import differs
from secure_redis.domain.assess.rules.rule import WITHHOLDS
from secure_redis.domain.explanation import Blocked, Waiting
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.actions import (
    Action,
    ApplySecret,
    CreateSecret,
    RecordSecrets,
    RemoveOwnerReference,
)
from secure_redis.domain.plan.types import Plan


def publish(resource: SecureRedisCache, observed: Observation, assessed: Assessment) -> Plan:
    """Plan to publish the proven credential, if it is not there already."""
    required = assessed.credential.data
    if required is None or observed.namespace_terminating:
        return Plan()
    name, there = resource.secret_name, observed.secret
    if isinstance(there, Unknown):
        return Plan(blocked=(Blocked(there.reason, there.message),))
    if there is None and resource.spec.connection.publish is Publish.WHEN_COMPLIANT:
        withheld = _withheld(name, assessed)
        if withheld is not None:
            return Plan(blocked=(withheld,))
    if there is None:
        create = CreateSecret(name, required.data, required.labels, required.annotations)
        return Plan(actions=(create,))
    if not isinstance(there, SecretFacts):
        return Plan()
    mine = there.owner_uid == resource.uid
    if there.deleting:
        return Plan(
            waiting=Waiting(Reason.SECRET_DELETING, f"Secret {name!r} is being deleted; it is published again after"),
            next_pass_in=5.0,
        )
    if not mine and not adoptable(resource, there):
        return Plan(blocked=(Blocked(Reason.SECRET_FOREIGN, foreign_secret(resource, there)),))
    if mine and not differs(there, required):
        return Plan()
    if there.immutable:
        return Plan(
            blocked=(
                Blocked(
                    Reason.SECRET_IMMUTABLE,
                    f"Secret {name!r} was made immutable and differs from what is to be published; delete it, "
                    "it is then published again",
                ),
            )
        )
    apply = ApplySecret(name, there.uid, required.data, required.labels, required.annotations)
    return Plan(actions=(apply,))


def _withheld(name: str, assessed: Assessment) -> Blocked | None:
    """Explain why a new Secret is not published yet. A Secret that exists is never withheld."""
    compliance = assessed.compliance
    open_findings = compliance.withholding if compliance is not None else ()
    if compliance is not None and not open_findings:
        return None
    which = ", ".join(f"{one.rule} ({one.severity}, {one.result})" for one in open_findings) or "nothing is judged yet"
    return Blocked(
        Reason.NOT_COMPLIANT,
        f"Secret {name!r} is not published while a rule of severity {WITHHOLDS} or above fails or is unknown: {which}. "
        "Resolve them or waive them in spec.waivers, or set spec.connection.publish: Always",
    )


def adoptable(resource: Envelope, secret: SecretFacts) -> bool:
    """Whether a Secret was published by a resource of this name: a deleted one, or this one before others changed it.

    A Secret whose labels or annotations another party removed is still known by the field manager of its data.
    """
    name = secret.annotations.get(names.SECRET_RESOURCE)
    marked = name == resource.key.name and secret.labels.get(names.MANAGED_BY) == names.MANAGER
    rest = name or secret.labels.get(names.CACHE_LABEL)
    managed = secret.type == names.SECRET_TYPE and (marked or (secret.written and rest == resource.key.name))
    # Only one object can have a name: another uid under this name and kind belongs to a deleted one.
    orphaned = secret.owner_uid is None or (
        secret.owner_kind == names.KIND and secret.owner_name == resource.key.name and secret.owner_uid != resource.uid
    )
    return managed and orphaned


def foreign_secret(resource: Envelope, secret: SecretFacts) -> str:
    """Explain why a Secret is not touched, and what to do."""
    whose = (
        f"belongs to {secret.owner_kind} {secret.owner_name!r}"
        if secret.owner_uid
        else "was not created by the operator"
    )
    return (
        f"Secret {secret.name!r} exists and {whose}; the operator does not change it: delete it or choose another "
        f"spec.connection.secretName for {resource.key.name!r}"
    )


def in_place(resource: SecureRedisCache, observed: Observation, assessed: Assessment) -> bool:
    """Whether the Secret of the declared name is this resource's, and holds the proven credential."""
    secret, required = observed.secret, assessed.credential.data
    if not isinstance(secret, SecretFacts) or secret.deleting or secret.owner_uid != resource.uid:
        return False
    return required is not None and not differs(secret, required)


def record(resource: SecureRedisCache, observed: Observation, *, publishing: bool) -> tuple[Action, ...]:
    """Plan to record the names of the Secrets on the resource, where the operator may not list Secrets.

    The record is written before the Secret: whatever happens next, no Secret is forgotten.
    """
    former = observed.former_secrets
    if observed.namespace_terminating or isinstance(former, Unknown) or isinstance(observed.secret, Unknown):
        return ()
    found = [one for one in (observed.secret, *former) if isinstance(one, SecretFacts)]
    own = {one.name for one in found if one.owner_uid == resource.uid}
    required = own | ({resource.secret_name} if publishing else set()) if not observed.secrets_listed else set()
    return () if required == set(resource.recorded_secrets) else (RecordSecrets(tuple(sorted(required))),)


def published_version(resource: SecureRedisCache, observed: Observation, assessed: Assessment) -> str | None:
    """Return the Key Vault version that the Secret holds; None where the Secret is not as it must be.

    While no key is proven, the Secret's own annotation counts: enough to go on with a rollout, not to begin one.
    """
    secret, required = observed.secret, assessed.credential.data
    if not isinstance(secret, SecretFacts) or secret.deleting or secret.owner_uid != resource.uid:
        return None
    if required is None:
        return secret.annotations.get(names.SECRET_VERSION)
    # The operator records later that a request was answered: this changes nothing for a consumer.
    differing = set(differs(secret, required)) - {f"annotations[{names.SECRET_ROTATION}]"}
    return None if differing else required.annotations.get(names.SECRET_VERSION)


def unreferenced(resource: SecureRedisCache, observed: Observation) -> tuple[Action, ...]:
    """Plan to remove the ownerReferences of this resource: with one, a deletion takes the Secret along immediately."""
    return tuple(
        RemoveOwnerReference(secret.name, secret.uid)
        for secret in own_secrets(resource, observed)
        if resource.uid in secret.referenced_by
    )


def own_secrets(resource: SecureRedisCache, observed: Observation) -> tuple[SecretFacts, ...]:
    """Return the Secrets that this resource owns, under its present name and under earlier ones."""
    former = observed.former_secrets if isinstance(observed.former_secrets, tuple) else ()
    return tuple(
        secret
        for secret in (observed.secret, *former)
        if isinstance(secret, SecretFacts) and secret.owner_uid == resource.uid and not secret.deleting
    )
