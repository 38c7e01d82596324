"""ServiceAccounts and the Azure identities that a resource can use."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceAccountFacts:
    """A ServiceAccount with the annotations that the operator reads."""

    name: str
    uid: str
    client_id: str | None
    tenant_id: str | None
    allow: tuple[str, ...]  # resource names, or "*"


@dataclass(frozen=True, slots=True)
class NamespaceIdentity:
    """An Azure identity federated with a ServiceAccount of the resource's own namespace."""

    namespace: str
    service_account: str
    uid: str
    client_id: str
    tenant_id: str

    def __str__(self) -> str:
        return f"ServiceAccount {self.namespace}/{self.service_account} (client {self.client_id})"


@dataclass(frozen=True, slots=True)
class OperatorIdentity:
    """The operator's own Azure identity, usable only through grants."""

    def __str__(self) -> str:
        return "the operator's identity"


Identity = NamespaceIdentity | OperatorIdentity
