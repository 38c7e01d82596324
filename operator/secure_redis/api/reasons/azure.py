"""Identities, grants and the answers of Azure: its reasons, one row each."""

from collections.abc import Mapping
from typing import Final

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.reasons.row import ON_CACHE, ON_CREDENTIALS, ReasonRow, Trait, row

AZURE_REASONS: Final[Mapping[Reason, ReasonRow]] = {
    Reason.SERVICE_ACCOUNT_NOT_FOUND: row(
        "The ServiceAccount that spec.identity names does not exist in this namespace.",
        "Create it with the annotations azure.workload.identity/client-id, /tenant-id and secureredis.io/allow.",
        on=ON_CACHE | ON_CREDENTIALS,
        traits=Trait.NEEDS_HUMAN,
    ),
    Reason.SERVICE_ACCOUNT_NOT_ANNOTATED: row(
        "The ServiceAccount names no Azure identity.",
        "Annotate it with azure.workload.identity/client-id and azure.workload.identity/tenant-id.",
        on=ON_CACHE | ON_CREDENTIALS,
        traits=Trait.NEEDS_HUMAN,
    ),
    Reason.CONSENT_MISSING: row(
        "The ServiceAccount does not allow this resource to use its identity.",
        "Its owner annotates it with `secureredis.io/allow: <resource name>` (or `*`).",
        on=ON_CACHE | ON_CREDENTIALS,
        traits=Trait.NEEDS_HUMAN,
    ),
    Reason.NAMESPACE_NOT_BOUND: row(
        "The operator has no permissions in this namespace, because its owner has not consented.",
        "Apply the RoleBinding that the message prints, or add the namespace to the chart's `namespaces`.",
        on=ON_CACHE | ON_CREDENTIALS,
        traits=Trait.NEEDS_HUMAN | Trait.ABOUT_SECRET,
    ),
    Reason.NO_IDENTITY: row(
        "No Azure identity was named and the operator has none of its own.",
        "Name a ServiceAccount in spec.identity.serviceAccountName, or create one called secure-redis.",
        on=ON_CACHE | ON_CREDENTIALS,
        traits=Trait.NEEDS_HUMAN,
    ),
    Reason.NOT_GRANTED: row(
        "The operator's configuration does not allow this use of the identity.",
        "Ask the owner of the operator for a grant (or a wider cap) that covers what the message names.",
        on=ON_CACHE | ON_CREDENTIALS,
        traits=Trait.BLOCKS_READY | Trait.ABOUT_CORRECTION | Trait.ABOUT_PERSISTENCE,
    ),
    Reason.TOKEN_REFUSED: row(
        "Entra refused to exchange the ServiceAccount's token.",
        "Check the federated credential: issuer, subject `system:serviceaccount:<namespace>:<name>` and audience "
        "`api://AzureADTokenExchange` must match exactly.",
        on=ON_CACHE | ON_CREDENTIALS,
    ),
    Reason.AZURE_UNREACHABLE: row(
        "Azure did not answer, or the answer could not be read.",
        "If it lasts, check egress and proxy.",
        on=ON_CACHE | ON_CREDENTIALS,
        traits=Trait.PASSING,
    ),
    Reason.AZURE_THROTTLED: row(
        "Azure throttles the operator, which waits as long as Azure requires.",
        "Wait.",
        on=ON_CACHE | ON_CREDENTIALS,
        traits=Trait.PASSING,
    ),
    Reason.AZURE_DENIED: row(
        "The identity lacks a role for the action that the message names.",
        "Assign the role that the message names, by the command in it if there is one (docs/azure-roles.md). It takes "
        "effect after some minutes.",
        on=ON_CACHE | ON_CREDENTIALS,
        traits=Trait.MISSING_RIGHT | Trait.ABOUT_CORRECTION | Trait.ABOUT_PERSISTENCE,
    ),
    Reason.AZURE_ERROR: row(
        "Azure reports a fault of its own.",
        "If it lasts, open a support request with Azure.",
        on=ON_CACHE | ON_CREDENTIALS,
        traits=Trait.PASSING,
    ),
    Reason.API_VERSION_NOT_SERVED: row(
        "The cache's region does not serve the interface version (api-version) that this requires.",
        "Remove the field that requires it, use another region, or wait until Azure serves the version there.",
        on=ON_CACHE | ON_CREDENTIALS,
        traits=Trait.NOT_REPEATED | Trait.ABOUT_CORRECTION,
    ),
    Reason.SUBSCRIPTION_UNAVAILABLE: row(
        "The subscription does not exist, is disabled, or is not registered for Microsoft.Cache.",
        "Check the id, enable the subscription, or register the provider Microsoft.Cache.",
        on=ON_CACHE | ON_CREDENTIALS,
        traits=Trait.TERMINAL | Trait.NOT_REPEATED,
    ),
    Reason.DENIED_BY_POLICY: row(
        "An Azure Policy forbids the change.",
        "Change the spec or request an exemption from the policy.",
        on=ON_CACHE | ON_CREDENTIALS,
        traits=Trait.TERMINAL | Trait.BLOCKS_READY | Trait.NOT_REPEATED | Trait.ABOUT_CORRECTION,
    ),
    Reason.LOCKED: row(
        "A lock in Azure forbids the change.",
        "Remove the lock, or take the change out of the spec.",
        on=ON_CACHE | ON_CREDENTIALS,
        traits=Trait.TERMINAL | Trait.BLOCKS_READY | Trait.NOT_REPEATED | Trait.ABOUT_CORRECTION,
    ),
}
