"""What each reason means and what to do: one list, from which the documentation is generated."""

from collections.abc import Mapping
from typing import Final

from secure_redis.api.reasons.managed_redis import MANAGED_REASONS
from secure_redis.api.reasons.persistence import PERSISTENCE_REASONS
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.reasons.rotation import ROTATION_REASONS
from secure_redis.api.reasons.text import ReasonText, text
from secure_redis.api.reasons.workloads import WORKLOAD_REASONS

REASONS: Final[Mapping[Reason, ReasonText]] = {
    Reason.PENDING: text("The operator has not looked yet.", "Wait; if it lasts, look whether the operator runs."),
    Reason.READY: text("What was asked for is in place for this generation."),
    Reason.ASSESSED: text("The cache was read and judged; no Secret was asked for."),
    Reason.AVAILABLE: text("The cache serves under the host and port shown."),
    Reason.SECURED: text("Only TLS 1.2 or newer is accepted and the non-TLS port is off."),
    Reason.PUBLISHED: text("The Secret holds a key that was proven to be live."),
    Reason.COMPLIANT: text("No rule of weight failed."),
    Reason.NO_DRIFT: text("Azure is as declared."),
    Reason.DRIFTED: text(
        "Fields in Azure differ from what is declared; status.drift lists them.",
        "Change it in Azure, change the spec, or let the operator correct it: mode Provision and spec.drift.correct.",
    ),
    Reason.PROGRESSING: text("Work is under way.", "Wait."),
    Reason.PAUSED: text(
        "All writes are stopped by the annotation secureredis.io/paused.", "Remove the annotation to go on."
    ),
    Reason.INVALID_SPEC: text(
        "The spec holds something the schema should have refused.",
        "Correct the field the message names.",
        terminal=True,
    ),
    Reason.INVALID_RESOURCE_ID: text(
        "spec.resourceID is not the id of a Redis cache.",
        "Copy it from `az redis show --query id`; it is immutable, so re-create the resource.",
        terminal=True,
    ),
    Reason.LIMIT_REACHED: text(
        "The namespace has more resources, or uses more ServiceAccounts, than the operator's limits allow; the oldest "
        "are served.",
        "Delete some, use fewer ServiceAccounts or another namespace, or have `limits` raised in the operator's "
        "configuration. A Secret that was published stays, but is not kept current.",
    ),
    Reason.SERVICE_ACCOUNT_NOT_FOUND: text(
        "The ServiceAccount that spec.identity names does not exist in this namespace.",
        "Create it with the annotations azure.workload.identity/client-id, /tenant-id and secureredis.io/allow.",
    ),
    Reason.SERVICE_ACCOUNT_NOT_ANNOTATED: text(
        "The ServiceAccount names no Azure identity.",
        "Annotate it with azure.workload.identity/client-id and azure.workload.identity/tenant-id.",
    ),
    Reason.CONSENT_MISSING: text(
        "The ServiceAccount does not allow this resource to use its identity.",
        "Its owner annotates it with `secureredis.io/allow: <resource name>` (or `*`).",
    ),
    Reason.NAMESPACE_NOT_BOUND: text(
        "The operator has no rights in this namespace: nobody consented for it.",
        "Apply the RoleBinding that the message prints, or add the namespace to the chart's `namespaces`.",
    ),
    Reason.NO_IDENTITY: text(
        "No Azure identity was named and the operator has none of its own.",
        "Name a ServiceAccount in spec.identity.serviceAccountName, or create one called secure-redis.",
    ),
    Reason.NOT_GRANTED: text(
        "The operator's configuration does not allow this use of the identity.",
        "Ask who runs the operator for a grant (or a wider cap) that covers what the message names.",
    ),
    Reason.TOKEN_REFUSED: text(
        "Entra refused to exchange the ServiceAccount's token.",
        "Check the federated credential: issuer, subject `system:serviceaccount:<namespace>:<name>` and audience "
        "`api://AzureADTokenExchange` must match exactly.",
    ),
    Reason.AZURE_UNREACHABLE: text(
        "Azure did not answer, or not in a form that can be read.", "Nothing if it passes; else check egress and proxy."
    ),
    Reason.AZURE_THROTTLED: text("Azure asked to slow down; the operator waits as long as it was told.", "Wait."),
    Reason.AZURE_DENIED: text(
        "The identity lacks a role for the action that the message names.",
        "Assign the role that the message names, by the command in it (docs/azure-roles.md); it takes effect after "
        "minutes.",
    ),
    Reason.AZURE_ERROR: text("Azure reports a fault of its own.", "Nothing if it passes; else ask Azure support."),
    Reason.SUBSCRIPTION_UNAVAILABLE: text(
        "The subscription does not exist, is disabled, or is not registered for Microsoft.Cache.",
        "Check the id, enable the subscription, or register the provider Microsoft.Cache.",
        terminal=True,
    ),
    Reason.DENIED_BY_POLICY: text(
        "An Azure Policy forbids the change.", "Change the spec or ask for an exemption from it.", terminal=True
    ),
    Reason.LOCKED: text(
        "A lock in Azure forbids the change.", "Remove the lock, or take the change out of the spec.", terminal=True
    ),
    Reason.CACHE_NOT_FOUND: text(
        "There is no such cache, or its resource group is missing.",
        "Create it, correct spec.resourceID, or use mode: Provision.",
    ),
    Reason.CACHE_GONE: text(
        "The cache existed and was deleted in Azure. Its data is lost, so it is not created again by itself.",
        "Delete and re-create this resource to have it made anew.",
        terminal=True,
    ),
    Reason.CONFIRMING_ABSENCE: text("Azure answered 404 once; it is read again before it is believed.", "Wait."),
    Reason.CREATE_INTENDED: text("The cache will be created in the next pass.", "Wait."),
    Reason.CREATING: text("Azure is creating the cache.", "Wait 10 to 20 minutes."),
    Reason.UPDATING: text("Azure is changing the cache.", "Wait."),
    Reason.DELETING: text("The cache or the resource is being deleted.", "Wait."),
    Reason.CACHE_FAILED: text(
        "Azure reports the cache as failed or unusable.", "Look at the cache in Azure; open a support request there."
    ),
    Reason.CACHE_DISABLED: text(
        "Azure has disabled the cache.", "Look at the subscription and the cache in Azure.", terminal=True
    ),
    Reason.PROVISIONING_FAILED: text(
        "Azure accepted the change and failed to carry it out; the message says how it ended.",
        "Correct what the message names; delete the failed cache in Azure if it remains.",
        terminal=True,
    ),
    Reason.RETIRED: text(
        "Azure no longer creates caches of this service for this tenant.",
        "Use Azure Managed Redis, or validate an existing cache. https://aka.ms/AzureCacheForRedisRetirement",
        terminal=True,
    ),
    Reason.NAME_TAKEN: text(
        "The cache's name is in use somewhere in Azure, or was a short while ago.",
        "Choose another name in a new resource, or wait if the cache was only just deleted.",
        terminal=True,
    ),
    Reason.QUOTA_EXCEEDED: text(
        "The subscription's quota or the region's capacity is used up.",
        "Ask Azure for more quota, or use another location or SKU.",
        terminal=True,
    ),
    Reason.REQUEST_REFUSED: text(
        "Azure refused the request as wrong; the message says what about it.", "Correct the spec.", terminal=True
    ),
    Reason.BUSY: text("Another operation on the cache is under way in Azure.", "Wait."),
    Reason.ADOPTION_REQUIRED: text(
        "The cache exists and was not made by this resource, so nothing is changed.",
        "Look at status.drift, then annotate `secureredis.io/adopt: <cache name>`.",
    ),
    Reason.OWNED_BY_ANOTHER: text(
        "Another SecureRedisCache provisions this cache.",
        "Use mode: Validate here; any number of resources may validate one cache.",
        terminal=True,
    ),
    Reason.NO_ROUTE: text(
        "Public access is off and no private endpoint is approved.", "Create a private endpoint and approve it."
    ),
    Reason.WOULD_DISCONNECT: text(
        "The correction would cut clients off, so it is not made.", "Do first what the message names."
    ),
    Reason.DISRUPTION_NOT_ALLOWED: text(
        "The correction would lose data or needs another cache, so it is not made unasked.",
        "Look at `status.drift[].effect`, then annotate `secureredis.io/allow-disruption: <path>`, or change the spec.",
    ),
    Reason.CONTESTED: text(
        "A value was corrected twice and came back: somebody else sets it, so it is left alone.",
        "Find out who (Activity Log), settle on one value, then change the spec or annotate `secureredis.io/refresh`.",
    ),
    Reason.CORRECTING: text("A difference is corrected next; the event says what that causes.", "Nothing."),
    Reason.READ_ONLY: text(
        "The operator's configuration has `brakes.readOnly`: nothing is written to Azure or Key Vault.",
        "Set `brakes.readOnly` to false when the operator may write again.",
    ),
    Reason.CAPPED: text(
        "This hour's corrections or rotations are used up (`brakes` in the operator's configuration).",
        "Wait: it is taken up by itself. Or raise `brakes.correctionsPerHour` or `brakes.rotationsPerHour`.",
    ),
    Reason.MASS_DRIFT: text(
        "So many resources want a correction at once that something else must be wrong: all corrections stopped.",
        "Find out what changed (docs/operations.md), then set `brakes.release` to a new value.",
    ),
    Reason.FIRST_LOOK: text("The operator was upgraded: its first look only reports.", "Wait a minute."),
    Reason.NON_TLS_PORT_OPEN: text(
        "The non-TLS port is open, by what Azure reports or by what the probe saw.",
        "`az redis update --set enableNonSslPort=false`, or let the operator correct it.",
    ),
    Reason.MINIMUM_TLS_TOO_LOW: text(
        "The cache accepts TLS versions that are broken.",
        "`az redis update --set minimumTlsVersion=1.2`, or let the operator correct it.",
    ),
    Reason.MINIMUM_TLS_UNSET: text(
        "No minimum TLS version is set; what Azure then enforces is not shown by Azure.",
        "`az redis update --set minimumTlsVersion=1.2`, or let the operator correct it.",
    ),
    Reason.TLS_TOO_OLD_ACCEPTED: text(
        "The probe saw the endpoint accept TLS 1.0 or 1.1, whatever Azure reports.",
        "`az redis update --set minimumTlsVersion=1.2`; if that is what it says already, find out what answers there: "
        "a proxy, or another server under this name.",
    ),
    Reason.CERTIFICATE_NOT_TRUSTED: text(
        "The probe saw a certificate whose chain leads to no authority that the operator trusts. Something may stand "
        "between the cluster and the cache.",
        "Find out what answers there. If it is a cloud with an authority of its own, set caBundle in the operator's "
        "configuration.",
    ),
    Reason.CERTIFICATE_NAME_MISMATCH: text(
        "The probe saw a certificate that is not for the cache's host name. Something else may answer under it.",
        "Find out what answers there: `status.endpoint.addresses` says where the name leads in the cluster.",
    ),
    Reason.CERTIFICATE_EXPIRED: text(
        "The probe saw a certificate that is no longer valid.",
        "Azure renews its certificates by itself: find out what answers there, or raise it with Azure's support.",
    ),
    Reason.UNKNOWN: text("It could not be seen.", "Read the message."),
    **MANAGED_REASONS,
    **PERSISTENCE_REASONS,
    Reason.FINDINGS: text("Rules failed or could not be judged.", "See status.compliance.findings."),
    Reason.ACCESS_KEYS_DISABLED: text(
        "The cache does not accept access keys.",
        "Enable them, or take spec.authentication out until Entra authentication is supported.",
        terminal=True,
    ),
    Reason.AUTHENTICATION_DISABLED: text(
        "The cache asks for no password at all (authnotrequired).",
        "Enable authentication on the cache; no Secret is published for an open one.",
        terminal=True,
    ),
    Reason.VAULT_NOT_ALLOWED: text(
        "The vault's host does not belong to the configured cloud; no token is sent to it.",
        "Correct spec.authentication.keyVault.uri.",
        terminal=True,
    ),
    Reason.VAULT_NOT_FOUND: text("The vault's name does not resolve or it does not answer.", "Check the URI."),
    Reason.VAULT_FORBIDDEN: text(
        "The identity may not read (or write) the secret.",
        "Assign the role that the message names on the vault or the secret: PublishKey or Key Vault Secrets User to "
        "read, StoreKey to write, Rotate to rotate (docs/azure-roles.md).",
    ),
    Reason.VAULT_FIREWALL: text(
        "The vault's firewall refuses the operator.", "Allow the cluster's egress, or use a private endpoint."
    ),
    Reason.VAULT_OTHER_TENANT: text(
        "The vault belongs to another Entra tenant than the identity.", "Use an identity of its tenant.", terminal=True
    ),
    Reason.VAULT_SECRET_NOT_FOUND: text(
        "The vault holds no secret (or version) of that name.", "Store the access key there, or correct the name."
    ),
    Reason.VAULT_SECRET_DISABLED: text(
        "The secret's current version is disabled. An older one is never used instead.", "Enable it or set a new one."
    ),
    Reason.VAULT_SECRET_EXPIRED: text(
        "The secret's current version has expired. An older one is never used instead.", "Set a new version."
    ),
    Reason.VAULT_SECRET_NOT_YET_VALID: text(
        "The secret's current version is not valid yet (nbf). An older one is never used instead.",
        "Wait or correct it.",
    ),
    Reason.VAULT_SECRET_FOREIGN: text(
        "The vault secret is not marked as this cache's, so it is not overwritten.",
        "Tag its current version `ProviderAddress: <resourceID>`, or choose another secretName.",
    ),
    Reason.VAULT_SECRET_DELETED: text(
        "The secret is soft-deleted; its name cannot be reused until it is recovered or purged.",
        "Recover or purge it in Key Vault, or choose another secretName; the operator does neither.",
    ),
    Reason.KEY_MALFORMED: text(
        "The vault value cannot be an access key (empty, with white space, not text, or too long).",
        "Store the key itself, without a newline.",
        terminal=True,
    ),
    Reason.KEY_MISMATCH: text(
        "The vault value is no live key of this cache: somebody regenerated it, or it is another cache's.",
        "Store a current key of this cache in Key Vault. The published Secret stays as it is.",
    ),
    Reason.KEY_UNPROVEN: text(
        "Nothing shows that the vault value is a key of this cache, so it is not published.",
        "Grant listKeys, open a route for AUTH, or have the secret tagged `ProviderAddress: <resourceID>`.",
    ),
    Reason.STORING_KEY: text("The cache's key is being stored in Key Vault.", "Wait."),
    Reason.NOT_OWNED: text(
        "The cache does not carry this resource's ownership tag.", "Adopt it first, or use access: Read."
    ),
    Reason.SECRET_FOREIGN: text(
        "A Secret of that name exists and is not ours; it is left alone.",
        "Delete it or choose another spec.connection.secretName.",
        terminal=True,
    ),
    Reason.SECRET_IMMUTABLE: text(
        "The Secret was made immutable and holds something else.",
        "Delete it; it is then published anew.",
        terminal=True,
    ),
    Reason.SECRET_DELETING: text("The Secret is being deleted.", "Wait, or remove the finalizer that holds it."),
    Reason.SECRET_REFUSED: text("The API server refused the Secret.", "See the message: a quota or an admission rule."),
    Reason.NAMESPACE_TERMINATING: text("The namespace is being deleted.", "Nothing."),
    **WORKLOAD_REASONS,
    **ROTATION_REASONS,
    Reason.CONFIRMATION_REQUIRED: text(
        "The cache would be deleted with its data; that must be confirmed by name.",
        'Annotate `secureredis.io/confirm-delete: <cache name>`, or `secureredis.io/abandon: "true"` to keep it.',
    ),
    Reason.DELETION_UNKNOWN: text(
        "The cache cannot be read, so it is not known what would be deleted.",
        'Mend what the message names, or annotate `secureredis.io/abandon: "true"` to keep the cache.',
    ),
    Reason.ABANDONED: text("The resource was let go; the cache was kept although deletionPolicy is Delete."),
    Reason.RETAINED: text("The resource was let go; the cache was kept."),
    Reason.OPERATED_BY_ANOTHER: text(
        "Another install of the operator serves this resource; this one leaves it alone.",
        "Uninstall one of the two. If the other one is gone for good, take its mark off: "
        "`kubectl annotate srcache --all -A secureredis.io/operator-`.",
    ),
    Reason.INTERNAL_ERROR: text("The operator met a fault of its own.", "Report it with the operator's log."),
}
