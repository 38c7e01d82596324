"""The Terraform and Bicep files of `examples/azure`: they parse, and their names are the operator's.

No provider's schema and no Bicep compiler can be had offline, so no test here compares an argument with Azure's.
The pages docs/how-to/aks-terraform.md and docs/how-to/aks-bicep.md state what was compared once, and with what.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml
from hcl2 import SerializationOptions
from pycep import BicepParser

from sandbox import roles
from secure_redis.api import names
from secure_redis.domain.assess.rules import network
from secure_redis.domain.grants import Power

ROOT = Path(__file__).parents[3]
TERRAFORM = ROOT / "examples/azure/terraform"
BICEP = ROOT / "examples/azure/bicep"
CHART = ROOT / "charts/secure-redis-operator"
HOW_TO = ROOT / "docs/how-to"
MODULES = ("azure", "cluster")
OPTIONS = SerializationOptions(strip_string_quotes=True, with_comments=False, explicit_blocks=False)
# To store and rotate the key of a cache that another tool creates, and to create and correct one besides.
KEY_POWERS = [roles.file_of(one) for one in (Power.OBSERVE, Power.PUBLISH_KEY, Power.STORE_KEY, Power.ROTATE)]
CACHE_POWERS = [roles.file_of(one) for one in (Power.PROVISION, Power.CORRECT)]
SUBJECT = f"system:serviceaccount:${{NAMESPACE}}:{names.DEFAULT_SERVICE_ACCOUNT}"
LEADER = "${UID}/${NAMESPACE}/orders"
ZONES = {"classic": "privatelink.redis.cache.windows.net", "managed": "privatelink.redis.azure.net"}
GROUPS = {"classic": "redisCache", "managed": "redisEnterprise"}


def floor() -> str:
    annotations = yaml.safe_load((CHART / "Chart.yaml").read_text())["annotations"]
    return str(re.fullmatch(r">=(\d+\.\d+)\.0-0", annotations["secureredis.io/kubernetes"])[1])  # type: ignore[index]


def test_the_zones_are_those_that_the_operator_names() -> None:
    text = Path(network.__file__).read_text()
    assert set(re.findall(r"privatelink[\w.]+\w", text)) == set(ZONES.values())


# --- Terraform ---


def text(module: str) -> str:
    return "\n".join(path.read_text() for path in sorted((TERRAFORM / module).glob("*.tf")))


def parsed(module: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for path in sorted((TERRAFORM / module).glob("*.tf")):
        with path.open() as file:
            for kind, blocks in hcl2.load(file, serialization_options=OPTIONS).items():
                found.setdefault(kind, []).extend(blocks)
    return found


def resources(module: str) -> dict[str, dict[str, Any]]:
    """Each resource by `type.name`."""
    return {
        f"{kind}.{name}": body
        for block in parsed(module)["resource"]
        for kind, named in block.items()
        for name, body in named.items()
    }


def labels(module: str, kind: str) -> set[str]:
    return {label for block in parsed(module).get(kind, []) for label in block}


def local(module: str) -> dict[str, Any]:
    return {name: value for block in parsed(module)["locals"] for name, value in block.items()}


@pytest.mark.parametrize("module", MODULES)
def test_terraform_refers_to_what_is_declared_and_declares_what_it_uses(module: str) -> None:
    written = text(module)
    assert set(re.findall(r"\bvar\.(\w+)", written)) == labels(module, "variable")
    declared = set(resources(module))
    used = set(re.findall(r"(?<![\w.])((?:azurerm|helm|kubernetes)_\w+\.\w+)", written))
    assert used <= declared, used - declared
    if module == "azure":
        assert set(re.findall(r"\blocal\.(\w+)", written)) == set(local(module))


@pytest.mark.parametrize("module", MODULES)
def test_terraform_pins_each_provider_that_it_uses(module: str) -> None:
    (terraform,) = parsed(module)["terraform"]
    (providers,) = terraform["required_providers"]
    assert {kind.split("_")[0] for kind in resources(module)} == set(providers) == labels(module, "provider")
    for provider in providers.values():
        assert provider["source"].startswith("hashicorp/")
        assert re.fullmatch(r"~> \d+\.\d+", provider["version"])


def test_terraform_uses_the_roles_of_the_repository() -> None:
    found = local("azure")
    key, cache = re.findall(r"\[([^\]]*)\]", found["powers"])[:2]
    assert re.findall(r'"([a-z-]+)"', key) == KEY_POWERS
    assert re.findall(r'"([a-z-]+)"', cache) == CACHE_POWERS
    path = re.search(r'file\("\$\{path\.module\}/([^"]*)"\)', found["roles"])
    assert path is not None
    for power in (*KEY_POWERS, *CACHE_POWERS):
        role = json.loads((TERRAFORM / "azure" / path[1].replace("${power}", power)).read_text())
        assert role["Name"] == roles.role(power).name
    definition = resources("azure")["azurerm_role_definition.secure_redis"]
    assert definition["for_each"] == "${local.roles}"
    (permissions,) = definition["permissions"]
    read = [*permissions.values(), definition["name"], definition["description"]]
    assert {re.fullmatch(r"\$\{each\.value\.(\w+)\}", one)[1] for one in read} == set(role) - {  # type: ignore[index]
        "IsCustom",
        "AssignableScopes",
    }
    assignment = resources("azure")["azurerm_role_assignment.team"]
    assert assignment["scope"] == "${azurerm_resource_group.team.id}"
    assert assignment["principal_id"] == "${azurerm_user_assigned_identity.team.principal_id}"


def test_terraform_federates_the_service_account_that_it_creates() -> None:
    credential = resources("azure")["azurerm_federated_identity_credential.team"]
    assert credential["subject"] == SUBJECT.replace("NAMESPACE", "var.namespace")
    assert credential["audience"] == [names.TOKEN_AUDIENCE]
    assert credential["issuer"] == "${azurerm_kubernetes_cluster.platform.oidc_issuer_url}"
    assert resources("azure")["azurerm_kubernetes_cluster.platform"]["oidc_issuer_enabled"] is True
    (account,) = resources("cluster")["kubernetes_service_account_v1.secure_redis"]["metadata"]
    assert account["name"] == names.DEFAULT_SERVICE_ACCOUNT
    assert account["annotations"] == {
        names.CLIENT_ID: "${var.client_id}",
        names.TENANT_ID: "${var.tenant_id}",
        names.ALLOW: "orders",
    }


def test_terraform_consents_as_the_example_for_kubectl_does() -> None:
    documents = yaml.safe_load_all((ROOT / "examples/namespace-consent.yaml").read_text())
    (binding,) = [one for one in documents if one["kind"] == "RoleBinding"]
    found = resources("cluster")["kubernetes_role_binding_v1.consent"]
    (role,), (subject,) = found["role_ref"], found["subject"]
    assert [role["api_group"], role["kind"], role["name"]] == [
        binding["roleRef"]["apiGroup"],
        binding["roleRef"]["kind"],
        binding["roleRef"]["name"],
    ]
    (expected,) = binding["subjects"]
    release = resources("cluster")["helm_release.operator"]
    assert [subject["kind"], subject["name"]] == [expected["kind"], expected["name"]]
    assert subject["namespace"] == "${helm_release.operator.namespace}"
    assert [release["name"], release["namespace"]] == [expected["name"], expected["namespace"]]


def test_terraform_installs_this_chart_with_values_that_it_has() -> None:
    release = resources("cluster")["helm_release.operator"]
    assert (TERRAFORM / "cluster" / release["chart"].removeprefix("${path.module}/")).resolve() == CHART
    assert [one["name"] for one in release["set"]] == ["image.repository", "image.tag"]
    schema = json.loads((CHART / "values.schema.json").read_text())
    for one in release["set"]:
        part = schema
        for name in one["name"].split("."):
            assert name in part["properties"], one["name"]
            part = part["properties"][name]


def test_terraform_makes_a_cluster_that_the_chart_supports() -> None:
    (version,) = [block["kubernetes_version"] for block in parsed("azure")["variable"] if "kubernetes_version" in block]
    assert version["default"] == floor()
    assert f"requires {floor()} or newer" in version["description"]


def test_terraform_makes_caches_and_a_vault_that_no_rule_objects_to() -> None:
    found = resources("azure")
    (database,) = found["azurerm_managed_redis.orders"]["default_database"]
    assert database["access_keys_authentication_enabled"] is True  # otherwise: AccessKeysDisabled
    assert database["client_protocol"] == "Encrypted"
    assert found["azurerm_managed_redis.orders"]["public_network_access"] == "Disabled"
    classic = found["azurerm_redis_cache.orders"]
    assert classic["non_ssl_port_enabled"] is classic["public_network_access_enabled"] is False
    assert classic["minimum_tls_version"] == "1.2"
    vault = found["azurerm_key_vault.team"]
    assert vault["rbac_authorization_enabled"] is vault["purge_protection_enabled"] is True


def test_terraform_connects_the_cache_privately_and_names_its_leader() -> None:
    found = local("azure")
    for service in ("classic", "managed"):
        assert found[service]["zone"] == ZONES[service]
        assert found[service]["group"] == GROUPS[service]
    assert f"{names.LEADER_TAG} = " in found["tags"]
    assert LEADER.replace("UID", "var.leader_cluster_uid").replace("NAMESPACE", "var.namespace") in found["tags"]


# --- Bicep ---


def bicep(file: str) -> dict[str, Any]:
    return dict(BicepParser().parse(file_path=BICEP / file))


def resource(file: str, name: str) -> dict[str, Any]:
    """Return the body of a resource, whether or not it has a condition or a loop."""
    config: dict[str, Any] = bicep(file)["resources"][name]["config"]
    return config["config"] if "condition" in config else config


def loaded(value: list[dict[str, Any]]) -> Iterator[str]:
    for one in value:
        yield one["function"]["parameters"]["file_path"]


def test_bicep_uses_the_roles_of_the_repository() -> None:
    variables = bicep("main.bicep")["variables"]
    for variable, powers in {"keyRoles": KEY_POWERS, "cacheRoles": CACHE_POWERS}.items():
        paths = list(loaded(variables[variable]["value"]))
        assert [(BICEP / path).resolve() for path in paths] == [roles.DIRECTORY / f"{one}.json" for one in powers]
    text = json.dumps(resource("main.bicep", "roleDefinitions"))
    role = json.loads((roles.DIRECTORY / "observe.json").read_text())
    read = set(re.findall(r'"operand_1": "role", "operand_2": "(\w+)"', text))
    assert read == set(role) - {"IsCustom", "AssignableScopes"}


def test_bicep_federates_the_operators_service_account() -> None:
    properties = resource("team.bicep", "federation")["properties"]
    assert properties["subject"] == SUBJECT.replace("NAMESPACE", "namespace")
    assert properties["audiences"] == [names.TOKEN_AUDIENCE]
    assert resource("platform.bicep", "cluster")["properties"]["oidcIssuerProfile"] == {"enabled": True}


@pytest.mark.parametrize("module", ["platform", "team"])
def test_bicep_passes_each_module_the_parameters_that_it_has(module: str) -> None:
    called = bicep("main.bicep")["modules"][module]
    given = bicep(called["detail"]["path"])
    assert set(called["config"]["params"]) == set(given["parameters"])
    used = re.findall(rf"\b{module}\.outputs\.(\w+)", (BICEP / "main.bicep").read_text())
    assert set(used) == set(given["outputs"])


def test_bicep_parameters_are_those_of_the_template() -> None:
    text = (BICEP / "main.bicepparam").read_text()
    parameters = bicep("main.bicep")["parameters"]
    given = set(re.findall(r"^param (\w+) = ", text, re.MULTILINE))
    required = {name for name, one in parameters.items() if one["default"] is None}
    assert text.startswith("using 'main.bicep'\n")
    assert required <= given <= set(parameters)


def test_bicep_makes_what_terraform_makes() -> None:
    version = bicep("main.bicep")["parameters"]["kubernetesVersion"]
    assert version["default"] == floor()
    database = resource("team.bicep", "database")["properties"]
    assert database["accessKeysAuthentication"] == "Enabled"
    assert database["clientProtocol"] == "Encrypted"
    assert resource("team.bicep", "managedRedis")["properties"]["publicNetworkAccess"] == "Disabled"
    classic = resource("team.bicep", "classicRedis")["properties"]
    assert classic["enableNonSslPort"] is False
    assert [classic["minimumTlsVersion"], classic["publicNetworkAccess"]] == ["1.2", "Disabled"]
    vault = resource("team.bicep", "vault")["properties"]
    assert vault["enableRbacAuthorization"] is vault["enablePurgeProtection"] is True


def test_bicep_connects_the_cache_privately_and_names_its_leader() -> None:
    written = "".join(path.read_text() for path in BICEP.glob("*.bicep"))
    assert set(re.findall(r"'(privatelink\.[^']+)'", written)) == set(ZONES.values())
    zones = f"cache == 'classic' ? '{ZONES['classic']}' : '{ZONES['managed']}'"
    groups = f"cache == 'classic' ? '{GROUPS['classic']}' : '{GROUPS['managed']}'"
    assert zones in written
    assert groups in written
    leader = LEADER.replace("UID", "leaderClusterUid").replace("NAMESPACE", "namespace")
    assert f"{{ '{names.LEADER_TAG}': '{leader}' }}" in written


# --- The pages ---


def test_the_pages_read_outputs_and_set_inputs_that_exist() -> None:
    page = (HOW_TO / "aks-terraform.md").read_text()
    assert set(re.findall(r"output -raw (\w+)", page)) == labels("azure", "output")
    variables = labels("azure", "variable") | labels("cluster", "variable")
    assert set(re.findall(r"TF_VAR_(\w+)=", page)) <= variables
    required = {
        name
        for module in MODULES
        for block in parsed(module)["variable"]
        for name, one in block.items()
        if "default" not in one
    }
    assert required <= set(re.findall(r"TF_VAR_(\w+)=", page))

    page = (HOW_TO / "aks-bicep.md").read_text()
    assert set(re.findall(r"properties\.outputs\.(\w+)\.value", page)) == set(bicep("main.bicep")["outputs"])
    named = set(re.findall(r"--parameters (?:\S+\.bicepparam )?(\w+)=", page))
    assert named
    assert named <= set(bicep("main.bicep")["parameters"])
