"""The operator's configuration file: YAML, strict, errors that name the place.

The text below a field is its entry in docs/reference/configuration.md.
"""

import os
import ssl
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from secure_redis.api.spec.spec import Profile
from secure_redis.azure.core.clouds import CLOUDS, Cloud
from secure_redis.azure.core.credentials import ManagedIdentity, OperatorCredential, WorkloadIdentity
from secure_redis.cli.config_base import Part, Text, Texts
from secure_redis.cli.config_defaults import DefaultSettings
from secure_redis.cli.config_grants import Grant
from secure_redis.cli.config_limits import BrakeSettings, Concurrency, LimitSettings
from secure_redis.cli.config_times import Intervals, LeaderElection
from secure_redis.domain import grants as domain
from secure_redis.domain.assess.rules import RULES
from secure_redis.domain.assess.waivers import Waivable, WaiverPolicy
from secure_redis.domain.plan.types import Settings
from secure_redis.kube.lease import LeaseSettings
from secure_redis.kube.watches import WatchMode
from secure_redis.probe.trust import verifying
from secure_redis.reconciler.observe.ages import Ages
from secure_redis.schedule.backoff import Backoff


class InvalidConfig(ValueError):
    """The configuration cannot be used; the text names the file and the place."""


class CustomCloud(Part):
    """Endpoints of a cloud that has no name here. URLs are https; suffixes have no leading dot."""

    resource_manager: Annotated[str, Field(pattern=r"^https://[^/?#@]+$")]
    """Address of Azure Resource Manager. An https URL with nothing behind the host."""
    resource_manager_scope: Text
    """Scope of tokens for Azure Resource Manager."""
    authority: Annotated[str, Field(pattern=r"^https://[^/?#@]+$")]
    """Address of Entra, which issues tokens. An https URL with nothing behind the host."""
    vault_suffixes: Annotated[tuple[Text, ...], Field(strict=False, min_length=1)]
    """DNS suffixes of Key Vault, without a leading dot. A vault with another suffix gets no request."""
    redis_suffixes: Annotated[tuple[Text, ...], Field(strict=False, min_length=1)]
    """DNS suffixes of Azure Cache for Redis, without a leading dot."""
    managed_redis_suffixes: Texts = ()
    """DNS suffixes of Azure Managed Redis (`<name>.<region>.<suffix>`). If empty, no cluster is probed."""


class CloudChoice(Part):
    """A cloud by name, or `Custom` with its endpoints."""

    name: Literal["AzurePublic", "AzureChina", "AzureUSGovernment", "Custom"] = "AzurePublic"
    """Name of the cloud. `Custom` requires `cloud.custom`."""
    custom: CustomCloud | None = None
    """Endpoints of a cloud that has no name here. For `cloud.name: Custom` only."""

    @model_validator(mode="after")
    def _fits(self) -> "CloudChoice":
        if (self.name == "Custom") != (self.custom is not None):
            raise ValueError("cloud.custom belongs to name Custom, and only to it")
        return self


class OperatorIdentity(Part):
    """The operator's own Azure identity. Absent fields come from the workload identity webhook's environment."""

    type: Literal["WorkloadIdentity", "ManagedIdentity"]
    """`WorkloadIdentity`: federation with a ServiceAccount. `ManagedIdentity`: a user-assigned identity of the node."""
    client_id: Text
    """Client id of the identity."""
    tenant_id: Text | None = None
    """Tenant of a workload identity. If it is not set, the environment variable `AZURE_TENANT_ID`."""
    token_file: Text | None = None
    """File with the ServiceAccount's token. If it is not set, the environment variable `AZURE_FEDERATED_TOKEN_FILE`."""


class SecretSettings(Part):
    """How changes of Secrets are noticed between passes."""

    watch: Annotated[WatchMode, Field(strict=False)] = WatchMode.NAMESPACE
    """`Namespace`: the operator watches Secrets in namespaces that consent. `None`: it notices tampering at the next
    reconcile.
    """


class WorkloadSettings(Part):
    """Injection into workloads."""

    enabled: bool = False
    """Whether the operator has permissions on workloads. Without them, it reads none. The chart sets it together with
    its roles.
    """


class WaivableRules(Part):
    """Rules (ids or shell patterns) that the resources of some namespaces (the same) may waive, and for how long."""

    rules: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[A-Z*?\[][A-Z0-9*?\[\]!-]*$")], ...], Field(strict=False, min_length=1)
    ]
    """Ids of rules, such as `R1`, or shell patterns, such as `O*`."""
    namespaces: Annotated[tuple[Text, ...], Field(strict=False, min_length=1)]
    """Namespaces whose resources may waive these rules. Names or shell patterns."""
    max_days: Annotated[int, Field(ge=1, le=3650)]
    """How many days ahead a waiver may end."""

    @model_validator(mode="after")
    def _known(self) -> "WaivableRules":
        for pattern in self.rules:
            if not any(fnmatchcase(rule.id, pattern) for rule in RULES):
                raise ValueError(f"no rule is called {pattern!r}")
        return self


class ComplianceSettings(Part):
    """Sets what resources may waive of the rules, and whether other Secrets are searched for the key (rule W2)."""

    minimum_profile: Annotated[Profile, Field(strict=False)] = Profile.BASELINE
    """Lowest profile that applies. `Strict`: for all resources, whatever their `spec.profile` is."""
    waivable: Annotated[tuple[WaivableRules, ...], Field(strict=False)] = ()
    """Findings that resources may waive by `spec.waivers`. If empty, none."""
    foreign_secrets: bool = False
    """Search other Secrets of consenting namespaces for the key (rule W2). The chart sets it together with its role."""


class ActivityLogSettings(Part):
    """Use of the Activity Log of Azure."""

    enabled: bool = True
    """Read the Activity Log to find who changed a setting (rule L2, `status.drift[].by`), where the identity may read
    it.
    """


class HealthSettings(Part):
    """Where /healthz, /readyz and /metrics are served."""

    address: Text = "127.0.0.1"
    """Address to listen on. The chart sets `0.0.0.0`, because the kubelet's probes come from outside the pod."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """Port to listen on."""


class Logging(Part):
    """Level of the operator's own logs; libraries stay at WARNING."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Level of the operator's own log lines. Libraries log warnings and errors only."""


class Config(Part):
    """The whole file. An empty one is legal: public cloud, no identity of its own, no grants."""

    cloud: CloudChoice = CloudChoice()
    """The Azure cloud that the operator works in."""
    ca_bundle: Text | None = None
    """File with certificate authorities (PEM) that the operator trusts too, for Azure and Redis."""
    publish_ca_bundle: bool = Field(default=False, alias="publishCABundle")
    """Publish `caBundle` to clients too, as the entry `ca.crt` of connection Secrets."""
    operator_identity: OperatorIdentity | None = None
    """The operator's own Azure identity. Only `grants` make it usable. If not set, each namespace brings its own."""
    grants: Annotated[tuple[Grant, ...], Field(strict=False)] = ()
    """Permissions to use the operator's own identity. If empty, nothing may use it."""
    caps: Annotated[tuple[Grant, ...], Field(strict=False)] = ()
    """Limits for the identities of namespaces, in the form of `grants`. If empty, only Azure's own roles limit them."""
    namespaces: Texts = ()
    """Namespaces whose resources the operator reconciles. If empty, all."""
    secrets: SecretSettings = SecretSettings()
    """How the operator notices that another process changed a Secret."""
    workloads: WorkloadSettings = WorkloadSettings()
    """Injection of connection Secrets into workloads."""
    compliance: ComplianceSettings = ComplianceSettings()
    """Minimum that every resource is assessed by, and what resources may waive."""
    defaults: DefaultSettings = DefaultSettings()
    """Settings of resources that do not set them, and the highest mode of all."""
    leader_election: LeaderElection = LeaderElection()
    """The Lease by which one replica leads."""
    intervals: Intervals = Intervals()
    """Intervals and ages, in seconds."""
    limits: LimitSettings = LimitSettings()
    """Limits for each namespace. The operator serves the oldest resources first."""
    brakes: BrakeSettings = BrakeSettings()
    """Limits on writes to Azure, over all resources."""
    activity_log: ActivityLogSettings = ActivityLogSettings()
    """Use of Azure's Activity Log."""
    concurrency: Concurrency = Concurrency()
    """Limits on what runs at the same time."""
    health: HealthSettings = HealthSettings()
    """Server of `/healthz`, `/readyz` and `/metrics`."""
    logging: Logging = Logging()
    """The operator's log."""

    @model_validator(mode="after")
    def _whole(self) -> "Config":
        if self.grants and self.operator_identity is None:
            raise ValueError("grants open the operator's own identity: set operatorIdentity, or remove them")
        if self.publish_ca_bundle and self.ca_bundle is None:
            raise ValueError("publishCABundle needs caBundle")
        return self

    def endpoints(self) -> Cloud:
        """Return the cloud's endpoints."""
        custom = self.cloud.custom
        if custom is None:
            return CLOUDS[self.cloud.name]
        return Cloud(
            name="Custom",
            resource_manager=custom.resource_manager,
            resource_manager_scope=custom.resource_manager_scope,
            authority=custom.authority,
            vault_suffixes=custom.vault_suffixes,
            redis_suffixes=custom.redis_suffixes,
            managed_redis_suffixes=custom.managed_redis_suffixes,
        )

    def policy(self) -> domain.GrantPolicy:
        """Return what identities may be used for."""
        return domain.GrantPolicy(
            grants=tuple(grant.granted() for grant in self.grants),
            caps=tuple(cap.granted() for cap in self.caps),
            operator_identity=self.operator_identity is not None,
        )

    def waiver_policy(self) -> WaiverPolicy:
        """Return what resources may waive of the rules."""
        own = self.compliance
        return WaiverPolicy(
            minimum_profile=own.minimum_profile,
            waivable=tuple(Waivable(one.rules, one.namespaces, one.max_days) for one in own.waivable),
            foreign_secrets=own.foreign_secrets,
        )

    def credential(self, environment: Mapping[str, str] = os.environ) -> OperatorCredential | None:
        """Return the operator's own credential.

        Raises:
            InvalidConfig: a workload identity's tenant or token file is neither configured nor in the environment.

        """
        own = self.operator_identity
        if own is None:
            return None
        if own.type == "ManagedIdentity":
            return ManagedIdentity(own.client_id)
        tenant = own.tenant_id or environment.get("AZURE_TENANT_ID")
        token_file = own.token_file or environment.get("AZURE_FEDERATED_TOKEN_FILE")
        if not tenant or not token_file:
            raise InvalidConfig(
                "operatorIdentity: tenantID and tokenFile are needed; label the pod azure.workload.identity/use: "
                '"true" and annotate its ServiceAccount, or set them here'
            )
        return WorkloadIdentity(own.client_id, tenant, token_file)

    def tls(self) -> ssl.SSLContext:
        """Trust for Azure and Redis: the system's authorities and `caBundle`.

        Raises:
            InvalidConfig: the bundle cannot be read.

        """
        try:
            return verifying(self.ca_bundle)
        except (OSError, ssl.SSLError) as error:
            raise InvalidConfig(f"caBundle: {self.ca_bundle}: {error}") from None

    def published_ca(self) -> str | None:
        """Return the PEM text for clients, if one is to be published. A comment before the first block is left out.

        Raises:
            InvalidConfig: the bundle cannot be read.

        """
        if not self.publish_ca_bundle or self.ca_bundle is None:
            return None
        try:
            text = Path(self.ca_bundle).read_text(encoding="ascii")
            return text[max(text.find("-----BEGIN"), 0) :]  # the policy secret-writes expects a PEM block
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidConfig(f"caBundle: {self.ca_bundle}: {error}") from None

    def lease(self, environment: Mapping[str, str] = os.environ) -> LeaseSettings | None:
        """Return the Lease, None where election is off.

        Raises:
            InvalidConfig: no namespace, or times that do not fit each other.

        """
        election = self.leader_election
        if not election.enabled:
            return None
        namespace = election.namespace or environment.get("POD_NAMESPACE")
        if not namespace:
            raise InvalidConfig("leaderElection.namespace: needed outside a pod (POD_NAMESPACE is not set)")
        try:
            return LeaseSettings(
                namespace,
                duration=election.lease_duration_seconds,
                renew_deadline=election.renew_deadline_seconds,
                retry=election.retry_period_seconds,
            )
        except ValueError as error:
            raise InvalidConfig(f"leaderElection: {error}") from None

    def settings(self, cluster_uid: str) -> Settings:
        """Return what a plan needs to know of the operator.

        Raises:
            InvalidConfig: the bundle cannot be read.

        """
        return Settings(
            cluster_uid=cluster_uid,
            policy=self.policy(),
            operation_poll=self.intervals.operation_poll_seconds,
            absence_confirmation=self.intervals.absence_confirmation_seconds,
            regeneration_settle=self.intervals.regeneration_settle_seconds,
            container_start=self.intervals.container_start_seconds,
            ca=self.published_ca(),
            waiver_policy=self.waiver_policy(),
            defaults=self.defaults.as_domain(),
        )

    def ages(self) -> Ages:
        """Return how old the answers that a pass uses may be."""
        return Ages(children=self.intervals.children_max_age_seconds, proof=self.intervals.proof_seconds)

    def backoff(self) -> Backoff:
        """Return how passes are scheduled."""
        return Backoff(parallel=self.concurrency.passes, resync=self.intervals.resync_seconds)


def load(path: Path) -> Config:
    """Read the file.

    Raises:
        InvalidConfig: it cannot be read, is not YAML, or contains something unknown or illegal; every place is named.

    """
    try:
        document: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidConfig(f"{path}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InvalidConfig(f"{path}: not YAML{where}") from None
    try:
        config = Config.model_validate({} if document is None else document)
    except ValidationError as error:
        problems = [
            f"  {'.'.join(map(str, problem['loc'])) or 'the file'}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        raise InvalidConfig(f"{path} is not a legal configuration:\n" + "\n".join(problems)) from None
    return config
