"""The configuration file: what is legal, and how an illegal one is reported."""

import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.spec.defaults import SpecDefaults
from secure_redis.api.spec.spec import Mode, Profile
from secure_redis.azure.core.clouds import CHINA, PUBLIC
from secure_redis.azure.core.credentials import ManagedIdentity, WorkloadIdentity
from secure_redis.cli.config import Config, InvalidConfig, load
from secure_redis.cli.main import main
from secure_redis.domain.assess.waivers import Waivable, WaiverPolicy
from secure_redis.domain.grants import Power, VaultTarget, refuse
from secure_redis.domain.observe.identity import OperatorIdentity
from secure_redis.probe.trust import verifying

WHOLE = """
cloud: {name: AzureChina}
operatorIdentity: {type: WorkloadIdentity, clientID: c, tenantID: t, tokenFile: /f}
grants:
  - namespaces: [shop-*]
    powers: [Observe, PublishKey]
    caches: [/subscriptions/s/resourceGroups/shop]
    vaults: [{uri: https://shop.vault.azure.cn, secretNames: [orders-*]}]
  - namespaces: [shop-*]
    powers: [Provision]
    caches: [/subscriptions/s]
    locations: [chinaeast2]
    largestSKU: {name: Standard, capacity: 2}
caps: [{namespaces: ["*"], powers: [Observe]}]
namespaces: [shop-a, shop-b]
secrets: {watch: None}
leaderElection: {namespace: ops, leaseDurationSeconds: 30, renewDeadlineSeconds: 20, retryPeriodSeconds: 5}
intervals: {resyncSeconds: 120, operationPollSeconds: 0.2}
concurrency: {passes: 4}
health: {address: 0.0.0.0, port: 9090}
logging: {level: WARNING}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def test_an_empty_file_is_the_public_cloud_without_powers(file: Path) -> None:
    file.write_text("")
    config = load(file)
    assert config.endpoints() is PUBLIC
    assert config.credential({}) is None
    assert not config.policy().grants
    assert not config.policy().operator_identity
    assert config.health.address == "127.0.0.1"


def test_a_whole_file(file: Path) -> None:
    file.write_text(WHOLE)
    config = load(file)
    assert config.endpoints() is CHINA
    assert config.credential({}) == WorkloadIdentity("c", "t", "/f")
    policy = config.policy()
    assert policy.operator_identity
    target = VaultTarget("https://shop.vault.azure.cn/", "orders-key")
    assert refuse(policy, OperatorIdentity(), "shop-a", Power.PUBLISH_KEY, vault=target) is None
    refusal = refuse(policy, OperatorIdentity(), "other", Power.PUBLISH_KEY, vault=target)
    assert refusal is not None
    assert refusal.reason is Reason.NOT_GRANTED
    assert policy.grants[1].largest_sku is not None
    assert (policy.grants[1].largest_sku.name, policy.grants[1].largest_sku.capacity) == ("Standard", 2)
    lease = config.lease({})
    assert lease is not None
    assert (lease.namespace, lease.duration) == ("ops", 30)
    assert config.backoff().parallel == 4
    assert config.backoff().resync == 120


def test_the_waiver_policy_is_parsed(file: Path) -> None:
    file.write_text("{}")
    assert load(file).waiver_policy() == WaiverPolicy()
    waivable = '[{rules: [R1, "O*"], namespaces: ["dev-*"], maxDays: 90}]'
    file.write_text(f"compliance: {{minimumProfile: Strict, waivable: {waivable}, foreignSecrets: true}}")
    assert load(file).waiver_policy() == WaiverPolicy(
        Profile.STRICT, (Waivable(("R1", "O*"), ("dev-*",), 90),), foreign_secrets=True
    )


def test_the_defaults_of_resources_are_parsed(file: Path) -> None:
    file.write_text("{}")
    assert load(file).settings("cluster").defaults == SpecDefaults()
    file.write_text("defaults: {maximumMode: Validate, profile: Strict, intervalSeconds: 600}")
    assert load(file).settings("cluster").defaults == SpecDefaults(Mode.VALIDATE, Profile.STRICT, 600)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("grant: []", "grant: Extra inputs are not permitted"),
        ("cloud: {name: AzureMoon}", "cloud.name"),
        ("cloud: {name: Custom}", "cloud: cloud.custom belongs to name Custom"),
        ("health: {port: seventy}", "health.port"),
        ("health: {port: true}", "health.port"),
        ("namespaces: shop", "namespaces"),
        ("grants: [{namespaces: [a], powers: [Everything]}]", "grants.0.powers.0"),
        ("grants: [{namespaces: [a], powers: [Observe]}]", "set operatorIdentity"),
        ("caps: [{namespaces: [a], powers: [Observe], caches: [shop]}]", "caps.0.caches.0"),
        ("caps: [{namespaces: [a], powers: [Observe], vaults: [{uri: http://v.test}]}]", "caps.0.vaults.0.uri"),
        ("intervals: {resyncSeconds: 0}", "intervals.resyncSeconds"),
        ("publishCABundle: true", "publishCABundle needs caBundle"),
        ("logging: {level: LOUD}", "logging.level"),
        ("compliance: {minimumProfile: Lax}", "compliance.minimumProfile"),
        ("compliance: {foreignSecrets: 1}", "compliance.foreignSecrets"),
        ("compliance: {waivable: [{rules: [R1], namespaces: [a]}]}", "compliance.waivable.0.maxDays"),
        ("compliance: {waivable: [{rules: [], namespaces: [a], maxDays: 1}]}", "compliance.waivable.0.rules"),
        ("compliance: {waivable: [{rules: [R1], namespaces: [], maxDays: 1}]}", "compliance.waivable.0.namespaces"),
        ("compliance: {waivable: [{rules: [R1], namespaces: [a], maxDays: 0}]}", "compliance.waivable.0.maxDays"),
        ("compliance: {waivable: [{rules: [X9], namespaces: [a], maxDays: 9}]}", "no rule is called 'X9'"),
        ("defaults: {maximumMode: ReadOnly}", "defaults.maximumMode"),
        ("defaults: {profile: Lax}", "defaults.profile"),
        ("defaults: {intervalSeconds: 29}", "defaults.intervalSeconds"),
        ("- a list", "the file"),
        ("a: [", "not YAML at line"),
    ],
)
def test_an_error_names_its_field(file: Path, text: str, place: str) -> None:
    file.write_text(text)
    with pytest.raises(InvalidConfig) as caught:
        load(file)
    assert place in str(caught.value)
    assert str(file) in str(caught.value)


def test_values_are_not_repeated_in_errors(file: Path) -> None:
    file.write_text("operatorIdentity: {type: WorkloadIdentity, clientID: c, clientSecret: canary-secret}")
    with pytest.raises(InvalidConfig) as caught:
        load(file)
    assert "clientSecret" in str(caught.value)
    assert "canary-secret" not in str(caught.value)


def test_identity_from_the_webhooks_environment(file: Path) -> None:
    file.write_text("operatorIdentity: {type: WorkloadIdentity, clientID: c}")
    config = load(file)
    environment = {"AZURE_TENANT_ID": "t", "AZURE_FEDERATED_TOKEN_FILE": "/var/token"}
    assert config.credential(environment) == WorkloadIdentity("c", "t", "/var/token")
    with pytest.raises(InvalidConfig, match="operatorIdentity"):
        config.credential({})
    file.write_text("operatorIdentity: {type: ManagedIdentity, clientID: c}")
    assert load(file).credential({}) == ManagedIdentity("c")


def test_the_lease_needs_a_namespace_and_times_that_fit() -> None:
    with pytest.raises(InvalidConfig, match="POD_NAMESPACE"):
        Config().lease({})
    assert Config().lease({"POD_NAMESPACE": "ops"}) is not None
    config = Config.model_validate({"leaderElection": {"leaseDurationSeconds": 5}})
    with pytest.raises(InvalidConfig, match="renewDeadline"):
        config.lease({"POD_NAMESPACE": "ops"})
    assert Config.model_validate({"leaderElection": {"enabled": False}}).lease({}) is None


def test_an_invalid_bundle_is_reported(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    config = Config.model_validate({"caBundle": str(bundle), "publishCABundle": True})
    with pytest.raises(InvalidConfig, match="caBundle"):
        config.tls()
    bundle.write_text("not a certificate")
    with pytest.raises(InvalidConfig, match="caBundle"):
        config.tls()


def test_azure_and_redis_share_one_tls_context(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(bundle))
    for config in (Config(), Config.model_validate({"caBundle": str(bundle)})):
        context = config.tls()
        assert context is config.tls() is verifying(config.ca_bundle)
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        without_name = verifying(config.ca_bundle, name=False)
        assert (without_name.verify_mode, without_name.check_hostname) == (ssl.CERT_REQUIRED, False)
        assert context.check_hostname, "the probe's context is another one"
    before, roots = context, len(context.get_ca_certs())
    other = tmp_path / "other.pem"
    other.write_text(bundle.read_text() + trustme.CA().cert_pem.bytes().decode())
    os.utime(other, ns=(0, 0))  # another time than the first file's, whatever the clock's steps are
    other.replace(bundle)
    assert config.tls() is not before
    assert len(config.tls().get_ca_certs()) == roots + 1


def test_the_collector_runs_once_all_is_imported(file: Path) -> None:
    file.write_text("leaderElection: {enabled: false}")
    program = (
        "import gc, sys; from secure_redis.cli.main import main;"
        "main(['run', '--config', sys.argv[1], '--check'], standalone_mode=False);"
        "print(gc.isenabled(), gc.get_threshold()[0] > 700, gc.get_freeze_count() > 10_000)"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "True True True"


def test_the_command_line(file: Path) -> None:
    runner = CliRunner()
    assert runner.invoke(main, ["version"]).exit_code == 0
    file.write_text("leaderElection: {enabled: false}")
    checked = runner.invoke(main, ["run", "--config", str(file), "--check"])
    assert checked.exit_code == 0, checked.output
    file.write_text("cloud: 3")
    refused = runner.invoke(main, ["run", "--config", str(file)])
    assert refused.exit_code == 1
    assert "cloud" in refused.output
    assert "Traceback" not in refused.output
    assert runner.invoke(main, ["run"]).exit_code == 2
