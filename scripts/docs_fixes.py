"""The sections Fix and Verify of the pages of reasons and rules: their commands, which only the documentation has.

`docs_data/reasons.yaml` and `docs_data/rules.yaml` have one entry for each reason and rule: the Markdown that follows
the remedy, and a Verify of its own where the generated one does not fit.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import yaml

from secure_redis.api.reasons.catalogue import REASONS, has
from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.reasons.row import NOTHING_TO_DO, Trait

DATA: Final = Path(__file__).parent / "docs_data"
NOTHING: Final = "There is nothing to do"  # begins the Fix of a desired or passing state
VARIABLES: Final = "variables-in-the-commands"
_GET: Final = 'kubectl -n "$NAMESPACE" get srcache "$NAME"'
_AGAIN: Final = (
    "REFRESH=$(date +%s)",
    'kubectl -n "$NAMESPACE" annotate srcache "$NAME" --overwrite secureredis.io/refresh="$REFRESH"',
    'kubectl -n "$NAMESPACE" wait srcache "$NAME" --timeout=10m \\',
    "  --for=jsonpath='{.status.lastHandled.refresh}'=\"$REFRESH\"",
)
_PASSES: Final = "The last command prints nothing once the rule passes or does not apply."
# They explain the state of another condition, or come and go with another reason.
_SECONDARY: Final = frozenset({ConditionType.STALLED, ConditionType.RECONCILING})

_VARIABLES_TEXT: Final = """\
The commands of the reasons and of the [rules](../rules/README.md) use these variables. The first line names your
resource. The other lines take the other names from its spec.

```sh
NAMESPACE=shop NAME=orders OPERATOR_NAMESPACE=secure-redis-system

get() { kubectl -n "$NAMESPACE" get srcache "$NAME" --output jsonpath="$1"; }
CACHE_ID=$(get '{.spec.resourceID}')
SUBSCRIPTION=$(echo "$CACHE_ID" | cut -d/ -f3)
GROUP=$(echo "$CACHE_ID" | cut -d/ -f5)
CACHE=$(echo "$CACHE_ID" | cut -d/ -f9)
VAULT=$(get '{.spec.authentication.keyVault.uri}' | cut -d/ -f3 | cut -d. -f1)
SECRET=$(get '{.spec.authentication.keyVault.secretName}')
SECRET_NAME=$(get '{.spec.connection.secretName}')
SECRET_NAME=${SECRET_NAME:-$NAME}
ACCOUNT_ID=$(get '{.spec.persistence.storage.accountID}')   # without one in the spec, that of the account in use
ACCOUNT_GROUP=$(echo "$ACCOUNT_ID" | cut -d/ -f5)
ACCOUNT=$(echo "$ACCOUNT_ID" | cut -d/ -f9)
SERVICE_ACCOUNT=$(get '{.spec.identity.serviceAccountName}')
SERVICE_ACCOUNT=${SERVICE_ACCOUNT:-secure-redis}
az account set --subscription "$SUBSCRIPTION"
```

The identity that the operator uses in Azure for this resource, where it is a managed identity:

```sh
IDENTITY_GROUP=shop IDENTITY=shop-redis
CLIENT_ID=$(az identity show --resource-group "$IDENTITY_GROUP" --name "$IDENTITY" --query clientId --output tsv)
PRINCIPAL_ID=$(az identity show --resource-group "$IDENTITY_GROUP" --name "$IDENTITY" --query principalId --output tsv)
TENANT_ID=$(az account show --query tenantId --output tsv)
```

A page explains each further variable. The commands `az redisenterprise …` belong to an extension of the Azure CLI,
which `az extension add --name redisenterprise` installs.

A `yaml` block shows fields of your resource, with examples as values. If a tool such as Argo CD, Flux or Terraform
manages the resource or the cache, change its source instead. Otherwise the tool undoes your change."""


def entries(name: str) -> Mapping[str, Mapping[str, str]]:
    """Return the entries of one file, by reason or rule. An entry without text is empty."""
    found = yaml.safe_load((DATA / f"{name}.yaml").read_text(encoding="utf-8"))
    return {key: entry or {} for key, entry in found.items()}


REASON_ENTRIES: Final = entries("reasons")
RULE_ENTRIES: Final = entries("rules")


def variables() -> Iterator[str]:
    """Yield the section that explains the variables."""
    yield from ("", "## Variables in the commands", "", *_VARIABLES_TEXT.splitlines())


def of_reason(reason: Reason, remedy: str) -> Iterator[str]:
    """Yield the sections Fix and Verify of a reason. Without commands there is nothing to do."""
    entry = REASON_ENTRIES[reason]
    if "fix" not in entry and not remedy.startswith(NOTHING):
        remedy = f"{NOTHING}. {remedy}"
    verify = entry.get("verify") or "\n".join(_verify_reason(reason))
    yield from _sections(remedy, entry, verify, f"README.md#{VARIABLES}")


def of_rule(rule: str, remedy: str) -> Iterator[str]:
    """Yield the sections Fix and Verify of a rule."""
    entry = RULE_ENTRIES[rule]
    finding = f'{{.status.compliance.findings[?(@.rule=="{rule}")].result}}'
    lines = [*_shell(*_AGAIN, f"{_GET} --output jsonpath='{finding}'"), "", _PASSES]
    verify = "\n".join(lines)
    yield from _sections(remedy, entry, entry.get("verify") or verify, f"../reasons/README.md#{VARIABLES}")


def _sections(remedy: str, entry: Mapping[str, str], verify: str, explained: str) -> Iterator[str]:
    yield from ("## Fix", "", remedy, "")
    if "fix" in entry:
        yield from (*entry["fix"].rstrip().splitlines(), "")
    yield from ("## Verify", "", *verify.rstrip().splitlines(), "", f"[Variables in the commands]({explained})", "")


def _verify_reason(reason: Reason) -> Iterator[str]:
    row = REASONS[reason]
    again = () if "fix" not in REASON_ENTRIES[reason] else _AGAIN
    conditions = row.conditions - _SECONDARY
    if has(reason, Trait.EVENT_ONLY):
        yield from _shell('kubectl -n "$NAMESPACE" events --for "srcache/$NAME"')
        yield from (
            "",
            f"The command prints the events of the last hour. After the fix, no newer event has the reason `{reason}`.",
        )
    elif not conditions:
        yield from _shell(*again, f"{_GET} --output jsonpath='{{.status.rotation.phase}} {{.status.rotation.reason}}'")
        yield from ("", _expected(reason, "another reason, or none"))
    elif len(conditions) == 1 and row.remedy != NOTHING_TO_DO and "fix" in REASON_ENTRIES[reason]:
        (kind,) = conditions
        wanted = "DriftDetected=False" if kind is ConditionType.DRIFT_DETECTED else str(kind)
        yield from _shell(
            *again, f'kubectl -n "$NAMESPACE" wait srcache "$NAME" --for=condition={wanted} --timeout=15m'
        )
    else:
        yield from _shell(*again, f"{_GET} --output jsonpath='{{.status.conditions[?(@.reason==\"{reason}\")].type}}'")
        yield from ("", _expected(reason, "nothing once no condition has this reason"))


def _expected(reason: Reason, otherwise: str) -> str:
    if REASONS[reason].remedy == NOTHING_TO_DO:
        where = "the reason" if has(reason, Trait.ROTATION_STATUS) else "the conditions that have this reason"
        return f"The command prints {where}."
    return f"The {'last ' if 'fix' in REASON_ENTRIES[reason] else ''}command prints {otherwise}."


def _shell(*commands: str) -> list[str]:
    return ["```sh", *commands, "```"]
