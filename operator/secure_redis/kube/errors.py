"""Turn the API server's refusals into reasons. No other module interprets them."""

import re
from typing import Final

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.kube.client import ApiFailure

NAMESPACE_ROLE: Final = "secure-redis-namespace"

# RBAC says: secrets "a" is forbidden: User "u" cannot get resource "secrets" in API group "" in the namespace "n".
_RBAC: Final = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\w+) resource(?: "(?P<resource>[^"]*)" in API group "(?P<group>[^"]*)")?'
)
_OTHER_UID: Final = re.compile(r"(?i)uid mismatch|uid in (the )?precondition")
_ACCOUNT: Final = re.compile(r"system:serviceaccount:(?P<namespace>[^:]+):(?P<name>[^:]+)")


def by_rbac(failure: ApiFailure) -> bool:
    """Whether a missing permission is the cause, not an admission plug-in."""
    return failure.status == 403 and _RBAC.search(failure.message) is not None


def not_bound(failure: ApiFailure, namespace: str) -> Unknown:
    """Explain a missing permission in a namespace: its owner has not consented, or has consented to an older role."""
    return _unknown(_not_bound(failure, namespace))


def _not_bound(failure: ApiFailure, namespace: str) -> Explanation:
    return Explanation(
        Reason.NAMESPACE_NOT_BOUND,
        f"{_lacks(failure, namespace)}; to consent, apply: {_binding(failure, namespace)} (if it is bound already, "
        "that ClusterRole lacks the permission: upgrade the chart)",
    )


def _unknown(why: Explanation) -> Unknown:
    return Unknown(why.reason, why.message)


def _write_failure(why: Explanation) -> WriteFailure:
    return WriteFailure(why.reason, why.message)


def _lacks(failure: ApiFailure, namespace: str) -> str:
    """Describe who may not do what, as far as the server reports it."""
    found, account = _RBAC.search(failure.message), _account(failure)
    who = f"ServiceAccount {account['namespace']}/{account['name']}" if account else "the operator"
    if found is None or not found["resource"]:
        return f"{who} has no permissions in namespace {namespace!r}"
    what = f"{found['resource']}.{found['group']}" if found["group"] else found["resource"]
    return f"{who} may not {found['verb']} {what} in namespace {namespace!r}"


def _binding(failure: ApiFailure, namespace: str) -> str:
    account = _account(failure)
    subject = f"--serviceaccount={account['namespace']}:{account['name']}" if account else "--user=<the operator>"
    return (
        f"kubectl create rolebinding secure-redis-operator --namespace={namespace} --clusterrole={NAMESPACE_ROLE} "
        f"{subject}"
    )


def _account(failure: ApiFailure) -> re.Match[str] | None:
    found = _RBAC.search(failure.message)
    return _ACCOUNT.fullmatch(found["user"]) if found else None


def unreadable(failure: ApiFailure, namespace: str, what: str) -> Unknown:
    """Explain why a read failed."""
    if failure.status == 403:
        return not_bound(failure, namespace)
    return Unknown(Reason.UNKNOWN, f"{what} could not be read: {failure.message}", failure.retry_after)


def exists(failure: ApiFailure) -> bool:
    """Whether another object has the name of the one that was to be created."""
    return failure.status == 409 and failure.reason == "AlreadyExists"


def write_refused(failure: ApiFailure, namespace: str, what: str) -> WriteFailure:
    """Explain why a Secret was not written. The text is the server's, without values."""
    if "NamespaceTerminating" in failure.causes:
        return WriteFailure(Reason.NAMESPACE_TERMINATING, f"namespace {namespace!r} is being deleted", permanent=True)
    if by_rbac(failure):
        return _write_failure(_not_bound(failure, namespace))
    if exists(failure):
        return WriteFailure(Reason.SECRET_REFUSED, f"{what} exists already; it is checked again", 1.0)
    if failure.status == 404:
        return WriteFailure(Reason.NAMESPACE_TERMINATING, f"namespace {namespace!r} is gone", permanent=True)
    if failure.status == 422 and "immutable" in failure.message:
        return WriteFailure(
            Reason.SECRET_IMMUTABLE,
            f"{what} is immutable and cannot be kept current: delete it, it is then published again",
        )
    if replaced(failure):
        return WriteFailure(
            Reason.SECRET_REFUSED, f"{what} was replaced while it was written; it is checked again", 1.0
        )
    if failure.status == 409:
        return WriteFailure(Reason.SECRET_REFUSED, f"{what} changed while it was written; it is checked again", 1.0)
    if failure.transient:
        return WriteFailure(Reason.UNKNOWN, f"{what} could not be written: {failure.message}", failure.retry_after)
    return WriteFailure(Reason.SECRET_REFUSED, f"{what} was refused: {failure.message}")


def workloads_unreadable(failure: ApiFailure, namespace: str, what: str) -> Unknown:
    """Explain why a read of workloads or pods failed."""
    if by_rbac(failure):
        return _unknown(_no_workload_rights(failure, namespace))
    return unreadable(failure, namespace, what)


def budgets_unreadable(failure: ApiFailure, namespace: str) -> Unknown:
    """Explain why a read of PodDisruptionBudgets failed. Older charts gave no permission to list them."""
    what = f"the PodDisruptionBudgets in namespace {namespace!r}"
    if not by_rbac(failure):
        return unreadable(failure, namespace, what)
    return Unknown(
        Reason.NO_WORKLOAD_RIGHTS,
        f"the operator may not list {what}: upgrade the chart, whose ClusterRole {NAMESPACE_ROLE} has that "
        "permission with workloads.enabled=true, and bind it there",
    )


def config_map_unreadable(failure: ApiFailure, namespace: str, name: str) -> Unknown:
    """Explain why a read of a ConfigMap failed. Older charts gave no permission to read them."""
    what = f"ConfigMap {name!r}"
    if not by_rbac(failure):
        return unreadable(failure, namespace, what)
    return Unknown(
        Reason.NO_WORKLOAD_RIGHTS,
        f"the operator may not read {what} in namespace {namespace!r}: upgrade the chart, whose ClusterRole "
        f"{NAMESPACE_ROLE} has that permission with workloads.enabled=true, and bind it there",
    )


def workload_refused(failure: ApiFailure, namespace: str, what: str) -> WriteFailure:
    """Explain why a workload was not changed. The text is the server's, without values."""
    if "NamespaceTerminating" in failure.causes:
        return WriteFailure(Reason.NAMESPACE_TERMINATING, f"namespace {namespace!r} is being deleted", permanent=True)
    if by_rbac(failure):
        return _write_failure(_no_workload_rights(failure, namespace))
    if failure.status == 404:
        return WriteFailure(Reason.TARGET_NOT_FOUND, f"{what} is gone")
    if field_conflict(failure):
        return WriteFailure(
            Reason.TARGET_CONFLICT,
            f"another field manager set fields of this resource in {what}; nothing was forced: {failure.message}",
        )
    if replaced(failure):
        return WriteFailure(
            Reason.TARGET_NOT_FOUND, f"{what} was replaced while it was changed; it is checked again", 1.0
        )
    if failure.status == 409:
        return WriteFailure(
            Reason.TARGET_REFUSED, f"{what} was changed by others at the same time; it is checked again", 1.0
        )
    if failure.transient:
        return WriteFailure(Reason.UNKNOWN, f"{what} could not be changed: {failure.message}", failure.retry_after)
    return WriteFailure(Reason.TARGET_REFUSED, f"{what}: the API server refused the change: {failure.message}")


def field_conflict(failure: ApiFailure) -> bool:
    """Whether a server-side apply met another field manager; the message names it."""
    return failure.status == 409 and "FieldManagerConflict" in failure.causes


def _no_workload_rights(failure: ApiFailure, namespace: str) -> Explanation:
    return Explanation(
        Reason.NO_WORKLOAD_RIGHTS,
        f"{_lacks(failure, namespace)}: install the chart with workloads.enabled=true and, where its ClusterRole is "
        f"not bound, apply: {_binding(failure, namespace)}",
    )


def replaced(failure: ApiFailure) -> bool:
    """Whether the uid precondition of an apply did not hold: the object is another one, or none.

    Measured on 1.36: an apply gives 409 for a missing object and 422 on metadata.uid for a re-created one; a delete
    gives 409.
    """
    if failure.status == 409:
        return _OTHER_UID.search(failure.message) is not None
    return failure.status == 422 and "metadata.uid" in failure.causes
