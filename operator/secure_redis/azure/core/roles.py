"""Find the custom role of this project that has an action, so that a refusal can name what to assign.

The roles are those of `examples/azure/roles` (docs/azure-roles.md); a test holds the two together.
"""

import re
import shlex
from collections.abc import Mapping
from typing import Final

_OBSERVE: Final = "Secure Redis Observe"
_PUBLISH_KEY: Final = "Secure Redis PublishKey"
_STORE_KEY: Final = "Secure Redis StoreKey"
_PROVISION: Final = "Secure Redis Provision"
_CORRECT: Final = "Secure Redis Correct"
_ROTATE: Final = "Secure Redis Rotate"
_DELETE: Final = "Secure Redis Delete"
_SUBSCRIPTION: Final = "Secure Redis Subscription"

# Actions in lower case, as Azure compares them.
ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "microsoft.authorization/locks/read": (_OBSERVE,),
    "microsoft.authorization/roleassignments/read": (_OBSERVE,),
    "microsoft.authorization/roledefinitions/read": (_OBSERVE,),
    "microsoft.cache/checknameavailability/action": (_SUBSCRIPTION,),
    "microsoft.cache/locations/asyncoperations/read": (_SUBSCRIPTION,),
    "microsoft.cache/locations/operationresults/read": (_SUBSCRIPTION,),
    "microsoft.cache/locations/operationsstatus/read": (_SUBSCRIPTION,),
    "microsoft.cache/redis/accesspolicies/read": (_OBSERVE,),
    "microsoft.cache/redis/accesspolicyassignments/read": (_OBSERVE,),
    "microsoft.cache/redis/delete": (_DELETE,),
    "microsoft.cache/redis/firewallrules/delete": (_CORRECT,),
    "microsoft.cache/redis/firewallrules/read": (_OBSERVE,),
    "microsoft.cache/redis/firewallrules/write": (_PROVISION, _CORRECT),
    "microsoft.cache/redis/listkeys/action": (_PUBLISH_KEY,),
    "microsoft.cache/redis/patchschedules/read": (_OBSERVE,),
    "microsoft.cache/redis/patchschedules/write": (_PROVISION, _CORRECT),
    "microsoft.cache/redis/read": (_OBSERVE,),
    "microsoft.cache/redis/regeneratekey/action": (_ROTATE,),
    "microsoft.cache/redis/write": (_PROVISION, _CORRECT),
    "microsoft.cache/redisenterprise/databases/accesspolicyassignments/read": (_OBSERVE,),
    "microsoft.cache/redisenterprise/databases/listkeys/action": (_PUBLISH_KEY,),
    "microsoft.cache/redisenterprise/databases/read": (_OBSERVE,),
    "microsoft.cache/redisenterprise/databases/regeneratekey/action": (_ROTATE,),
    "microsoft.cache/redisenterprise/databases/write": (_PROVISION, _CORRECT),
    "microsoft.cache/redisenterprise/delete": (_PROVISION, _DELETE),
    "microsoft.cache/redisenterprise/listskusforscaling/action": (_CORRECT,),
    "microsoft.cache/redisenterprise/read": (_OBSERVE,),
    "microsoft.cache/redisenterprise/write": (_PROVISION, _CORRECT),
    "microsoft.insights/diagnosticsettings/read": (_OBSERVE,),
    "microsoft.insights/eventtypes/values/read": (_SUBSCRIPTION,),
    "microsoft.keyvault/vaults/keys/read": (_OBSERVE,),
    "microsoft.keyvault/vaults/keys/versions/read": (_OBSERVE,),
    "microsoft.keyvault/vaults/read": (_OBSERVE, _PUBLISH_KEY),
    "microsoft.keyvault/vaults/secrets/getsecret/action": (_PUBLISH_KEY,),
    "microsoft.keyvault/vaults/secrets/readmetadata/action": (_PUBLISH_KEY,),
    "microsoft.keyvault/vaults/secrets/setsecret/action": (_STORE_KEY,),
    "microsoft.keyvault/vaults/secrets/update/action": (_ROTATE,),
    "microsoft.managedidentity/userassignedidentities/assign/action": (_PROVISION, _CORRECT),
    "microsoft.storage/storageaccounts/blobservices/read": (_OBSERVE,),
    "microsoft.storage/storageaccounts/read": (_OBSERVE,),
}

# Resource Manager: The client '…' with object id '…' does not …; a vault: Caller: appid=…;oid=…;iss=…
_OBJECT_ID: Final = re.compile(
    r"(?:with object id '|\boid=)([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.IGNORECASE
)
# The characters of ARM ids. The text comes from outside: nothing else may go into a command.
_SCOPE: Final = re.compile(r"/[\w/.()-]+", re.ASCII)


def such_as(action: str, scope: str | None, refusal: str) -> str:
    """Name the role that has the action, with the command that assigns it to the refused identity; else empty.

    `refusal`: the refusal in the service's words, which names the object id.
    """
    holding = ROLES.get(action.lower())
    if holding is None:
        return ""
    names = " or ".join(holding)
    principal = _OBJECT_ID.search(refusal)
    if principal is None or scope is None or _SCOPE.fullmatch(scope) is None:
        return f", such as {names}"
    role, where = shlex.quote(holding[0]), shlex.quote(scope.lower())
    return (
        f", such as {names}: az role assignment create --assignee-object-id {principal.group(1).lower()} "
        f"--assignee-principal-type ServicePrincipal --role {role} --scope {where}"
    )
