"""Wrong values: refused before anything is installed, with a message that says what to write."""

from typing import Any

import pytest

from sandbox.chart.render import Document, Refused, render

CUSTOM = {
    "resourceManager": "https://management.cloud.example",
    "resourceManagerScope": "https://management.cloud.example/.default",
    "authority": "https://login.cloud.example",
    "vaultSuffixes": ["vault.cloud.example"],
    "redisSuffixes": ["redis.cloud.example"],
}
GRANT = {"namespaces": ["shop"], "powers": ["Observe"]}
EXTRA = {"name": "a", "image": "b"}
IDENTITY = {"type": "ManagedIdentity", "clientID": "00000000-0000-0000-0000-00000000c002"}


def refusal(values: Document) -> str:
    with pytest.raises(Refused) as refused:
        render(values)
    return str(refused.value)


BY_SCHEMA: list[tuple[Document, str, str]] = [
    ({"nonsense": 1}, "''", "'nonsense' not allowed"),
    ({"image": "operator:1"}, "/image", "got string, want object"),
    ({"image": {"repository": "registry.example/operator:1"}}, "/image/repository", "an image without tag"),
    ({"image": {"tag": "a b"}}, "/image/tag", "a tag such as 0.1.0"),
    ({"image": {"digest": "latest"}}, "/image/digest", "a digest: sha256: and 64 hexadecimal digits"),
    ({"image": {"pullPolicy": "always"}}, "/image/pullPolicy", "'Always', 'IfNotPresent', 'Never'"),
    ({"imagePullSecrets": ["registry"]}, "/imagePullSecrets/0", "got string, want object"),
    ({"replicaCount": "2"}, "/replicaCount", "got string, want integer"),
    ({"replicaCount": 99}, "/replicaCount", "maximum: got 99, want 10"),
    ({"namespaces": "shop"}, "/namespaces", "got string, want array"),
    ({"namespaces": ["Shop"]}, "/namespaces/0", "the name of a namespace: at most 63 lower-case letters"),
    ({"namespaces": ["shop", "shop"]}, "/namespaces", "items at 0 and 1 are equal"),
    ({"watchNamespaces": ["*"]}, "/watchNamespaces/0", "the name of a namespace"),
    ({"clusterWide": "yes"}, "/clusterWide", "got string, want boolean"),
    ({"secrets": {"watch": "Cluster"}}, "/secrets/watch", "'Namespace', 'None'"),
    ({"secrets": {"watch": False}}, "/secrets/watch", "'Namespace', 'None'"),
    ({"workloads": True}, "/workloads", "got boolean, want object"),
    ({"cloud": "AzureChina"}, "/cloud", "got string, want object"),
    ({"cloud": {"name": "China"}}, "/cloud/name", "'AzurePublic', 'AzureChina', 'AzureUSGovernment', 'Custom'"),
    ({"cloud": {"name": "Custom", "custom": {"authority": "https://a"}}}, "/cloud/custom", "missing properties"),
    (
        {"cloud": {"name": "Custom", "custom": {**CUSTOM, "authority": "http://login.example"}}},
        "/cloud/custom/authority",
        "a URL such as https://management.cloud.example",
    ),
    ({"operatorIdentity": {"type": "ManagedIdentity"}}, "/operatorIdentity", "missing property 'clientID'"),
    ({"operatorIdentity": {"type": "Secret", "clientID": "x"}}, "/operatorIdentity/type", "'WorkloadIdentity'"),
    ({"operatorIdentity": {**IDENTITY, "clientSecret": "x"}}, "/operatorIdentity", "'clientSecret' not allowed"),
    ({"grants": [{"namespaces": ["shop"]}]}, "/grants/0", "missing property 'powers'"),
    ({"grants": [{**GRANT, "powers": ["Everything"]}]}, "/grants/0/powers/0", "'Observe', 'PublishKey'"),
    ({"grants": [{**GRANT, "caches": ["orders"]}]}, "/grants/0/caches/0", "a scope in Azure: /subscriptions/<id>"),
    ({"grants": [{**GRANT, "vaults": [{"uri": "shop"}]}]}, "/grants/0/vaults/0/uri", "the URL of a vault"),
    ({"caps": [{**GRANT, "namespaces": []}]}, "/caps/0/namespaces", "minItems: got 0, want 1"),
    ({"brakes": {"correctionsPerHour": -1}}, "/brakes/correctionsPerHour", "minimum: got -1, want 0"),
    ({"brakes": {"massDrift": {"share": 5}}}, "/brakes/massDrift/share", "maximum: got 5, want 1"),
    ({"compliance": {"minimumProfile": "Loose"}}, "/compliance/minimumProfile", "'Baseline', 'Strict'"),
    (
        {"compliance": {"waivable": [{"rules": ["no such"], "namespaces": ["*"], "maxDays": 9}]}},
        "/compliance/waivable/0/rules/0",
        "the id of a rule such as R1",
    ),
    ({"caBundle": {"pem": "not a certificate"}}, "/caBundle/pem", "certificates in PEM"),
    ({"proxy": {"url": "proxy.example:3128"}}, "/proxy/url", "the URL of a proxy, such as http://"),
    ({"podDisruptionBudget": {"maxUnavailable": "half"}}, "/podDisruptionBudget/maxUnavailable", "such as 50%"),
    ({"strategy": {"type": "Replace"}}, "/strategy/type", "'RollingUpdate', 'Recreate'"),
    ({"resources": {"memory": "1Gi"}}, "/resources", "'memory' not allowed"),
    ({"terminationGracePeriodSeconds": 0}, "/terminationGracePeriodSeconds", "minimum: got 0, want 1"),
    ({"logLevel": "trace"}, "/logLevel", "'debug', 'info', 'warning', 'error'"),
    ({"port": 80}, "/port", "minimum: got 80, want 1,024"),
    ({"podSecurityContext": {"runAsUser": 0}}, "/podSecurityContext/runAsUser", "minimum: got 0, want 1"),
    ({"podSecurityContext": {"runAsNonRoot": False}}, "/podSecurityContext/runAsNonRoot", "value must be true"),
    ({"podSecurityContext": {"runAsNonRoot": None}}, "/podSecurityContext", "missing property 'runAsNonRoot'"),
    (
        {"podSecurityContext": {"seccompProfile": {"type": "Unconfined"}}},
        "/podSecurityContext/seccompProfile/type",
        "'Local",
    ),
    ({"podSecurityContext": None}, "''", "missing property 'podSecurityContext'"),
    ({"securityContext": {"privileged": True}}, "/securityContext/privileged", "value must be false"),
    ({"securityContext": {"allowPrivilegeEscalation": True}}, "/securityContext/allowPrivilege", "value must be false"),
    (
        {"securityContext": {"capabilities": {"drop": []}}},
        "/securityContext/capabilities/drop",
        "value must be '[ALL]'",
    ),
    ({"securityContext": {"capabilities": {"add": ["NET_RAW"]}}}, "/securityContext/capabilities/add", "maxItems"),
    ({"securityContext": {"readOnlyRootFilesystem": False}}, "/securityContext/readOnly", "true: for a directory"),
    ({"securityContext": None}, "''", "missing property 'securityContext'"),
    ({"extraContainers": [{"image": "a"}]}, "/extraContainers/0", "missing property 'name'"),
    ({"extraContainers": [{**EXTRA, "securityContext": {"privileged": True}}]}, "/extraContainers/0", "must be false"),
    ({"extraInitContainers": [{**EXTRA, "securityContext": {"runAsUser": 0}}]}, "/extraInitContainers/0", "minimum"),
    ({"extraArgs": {"loglevel": "info"}}, "/extraArgs", "a list of arguments of `secure-redis run`"),
    ({"enabled": False}, "/enabled", "to stop the operator write replicaCount: 0"),
    ({"lifecycle": {"preStart": {}}}, "/lifecycle", "'preStart' not allowed"),
    ({"extraArgs": ["verbose"]}, "/extraArgs/0", "an argument of `secure-redis run`"),
    ({"livenessProbe": {"httpGet": {"path": "/"}}}, "/livenessProbe", "'httpGet' not allowed"),
    ({"startupProbe": {"periodSeconds": 0}}, "/startupProbe/periodSeconds", "minimum: got 0, want 1"),
    ({"global": {"imagePullSecrets": [{"secret": "a"}]}}, "/global/imagePullSecrets/0", "missing property 'name'"),
    ({"podLabels": {"a": 1}}, "/podLabels/a", "got number, want string"),
    ({"extraEnv": {"A": "b"}}, "/extraEnv", "got object, want array"),
    ({"extraVolumes": [{"emptyDir": {}}]}, "/extraVolumes/0", "missing property 'name'"),
    ({"hostAliases": [{"ip": "10.0.0.1"}]}, "/hostAliases/0", "missing property 'hostnames'"),
    ({"rbac": {"aggregateToEverybody": True}}, "/rbac", "'aggregateToEverybody' not allowed"),
    ({"policies": {"defaultServiceAccount": "Maybe"}}, "/policies/defaultServiceAccount", "'Check', 'Skip'"),
    ({"networkPolicy": {"apiServer": {"cidrs": ["10.0.0.1"]}}}, "/networkPolicy/apiServer/cidrs/0", "10.0.0.1/32"),
    ({"networkPolicy": {"redisPorts": [0]}}, "/networkPolicy/redisPorts/0", "minimum: got 0, want 1"),
    ({"networkPolicy": {"dns": [{"namespace": "kube-system"}]}}, "/networkPolicy/dns/0", "'namespace' not allowed"),
    ({"serviceMonitor": {"interval": 30}}, "/serviceMonitor/interval", "got number, want string"),
    ({"podMonitor": {"interval": "often"}}, "/podMonitor/interval", "a duration such as 30s"),
    ({"prometheusRule": {"renderMode": "maybe"}}, "/prometheusRule/renderMode", "'skipIfMissing'"),
    ({"crds": {"keep": "always"}}, "/crds/keep", "got string, want boolean"),
    ({"fullnameOverride": "a'b"}, "/fullnameOverride", "a name: lower-case letters"),
    ({"serviceAccount": {"name": "a' || true || '"}}, "/serviceAccount/name", "a name: lower-case letters"),
    ({"config": "grants: []"}, "/config", "got string, want object"),
    ({"config": {"interval": {}}}, "/config", "'interval' not allowed"),
    ({"config": {"intervals": {"probeSeconds": "1h"}}}, "/config/intervals/probeSeconds", "got string, want number"),
    ({"config": {"concurrency": {"passes": 0}}}, "/config/concurrency/passes", "minimum: got 0, want 1"),
]

BY_TEMPLATES: list[tuple[Document, str]] = [
    ({"grants": [GRANT]}, "set operatorIdentity to {type: WorkloadIdentity, clientID: …}"),
    ({"config": {"grants": [GRANT]}}, "set operatorIdentity to"),
    ({"cloud": {"name": "Custom"}}, "set cloud.custom to {resourceManager"),
    ({"cloud": {"custom": CUSTOM}}, "set cloud.name to Custom"),
    ({"cloud": {"name": "AzureChina", "custom": CUSTOM}}, "it is AzureChina: remove one of both"),
    ({"cloud": {"name": "AzureChina"}, "config": {"cloud": {"name": "AzureChina"}}}, "remove config.cloud"),
    ({"watchNamespaces": ["a"], "config": {"namespaces": ["a"]}}, "remove config.namespaces"),
    ({"readOnly": True, "config": {"brakes": {"readOnly": True}}}, "remove config.brakes"),
    ({"readOnly": True, "brakes": {"readOnly": False}}, "remove brakes.readOnly"),
    ({"logLevel": "debug", "config": {"logging": {"level": "INFO"}}}, "remove config.logging"),
    ({"caBundle": {"configMap": "a", "secret": "b"}}, "caBundle.configMap and caBundle.secret: set one of them"),
    ({"caBundle": {"publish": True}}, "set caBundle.configMap, caBundle.secret or caBundle.pem"),
    ({"watchNamespaces": ["shop"], "clusterWide": True}, "set clusterWide to false"),
    ({"watchNamespaces": ["shop"], "namespaces": ["blog"]}, "namespaces lists blog, and watchNamespaces does not"),
    ({"config": {"leaderElection": {"enabled": False}}}, "Set replicaCount to 1"),
    ({"terminationGracePeriodSeconds": 20}, "must be more than config.intervals.drainSeconds (20)"),
    ({"config": {"intervals": {"drainSeconds": 60}}}, "terminationGracePeriodSeconds (60) must be more"),
    ({"compliance": {"foreignSecrets": True}}, "set the value secrets.searchForeign only"),
    ({"serviceAccount": {"create": False}}, "set serviceAccount.name"),
    ({"proxy": {"url": "http://user:secret@proxy:3128"}}, "set proxy.existingSecret"),
    ({"proxy": {"url": "http://proxy:3128", "existingSecret": "proxy"}}, "set one of them"),
    ({"extraEnv": [{"name": "POD_NAME", "value": "x"}]}, "extraEnv sets POD_NAME, which the chart sets"),
    (
        {"extraEnv": [{"name": "NO_PROXY", "value": "x"}], "proxy": {"url": "http://proxy:3128"}},
        "which the value proxy sets",
    ),
    ({"extraVolumes": [{"name": "tmp", "emptyDir": {}}]}, "give it another name"),
    ({"extraVolumeMounts": [{"name": "a", "mountPath": "/a"}]}, "add it to extraVolumes"),
    (
        {
            "extraVolumes": [{"name": "a", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "a", "mountPath": "/tmp"}],  # noqa: S108
        },
        "use another path",
    ),
    ({"commonLabels": {"app.kubernetes.io/name": "x"}}, "set nameOverride"),
    (
        {"serviceMonitor": {"enabled": True, "renderMode": "failIfMissing"}},
        "set serviceMonitor.renderMode to skipIfMissing",
    ),
    ({"extraArgs": ["--config=/a"]}, "write the configuration into the value config"),
    ({"extraContainers": [{**EXTRA, "name": "operator"}]}, "a second container operator: give it another name"),
    ({"extraContainers": [EXTRA], "extraInitContainers": [EXTRA]}, "a second container a: give it another name"),
    ({"extraVolumes": [{"name": "token", "emptyDir": {}}]}, "give it another name"),
    (
        {"prometheusRule": {"enabled": True, "renderMode": "alwaysRender", "disabled": ["Nope"]}},
        "there is no alert Nope; there are SecureRedisOperatorDown",
    ),
    ({"config": {"health": {"port": 9090}}}, "set the value port only"),
    ({"config": {"secrets": {"watch": "None"}}}, "set the value secrets.watch only"),
    ({"config": {"workloads": {"enabled": True}}}, "set the value workloads.enabled only"),
    ({"crds": {"keep": False}, "rbac": {"create": False}}, "Set rbac.create or crds.keep to true"),
]


@pytest.mark.parametrize(("values", "place", "sentence"), BY_SCHEMA)
def test_the_schema_names_the_field_and_the_allowed_values(values: Document, place: str, sentence: str) -> None:
    said = refusal(values)
    assert place in said
    assert sentence in said


@pytest.mark.parametrize(("values", "sentence"), BY_TEMPLATES)
def test_values_that_contradict_each_other_are_refused(values: Document, sentence: str) -> None:
    assert sentence in refusal(values)


def test_no_refusal_repeats_a_password() -> None:
    assert "hunter2" not in refusal({"proxy": {"url": "http://user:hunter2@proxy:3128"}})


@pytest.mark.parametrize(
    "earlier",
    [
        {"config": {"cloud": {"name": "AzureChina"}, "namespaces": ["shop"]}, "namespaces": ["shop"]},
        {"config": {"operatorIdentity": IDENTITY, "grants": [GRANT], "caps": [GRANT]}},
        {"config": {"brakes": {"readOnly": True}, "compliance": {"minimumProfile": "Strict"}}},
        {"config": {"logging": {"level": "DEBUG"}, "caBundle": "/ca/ca.pem", "publishCABundle": True}},
        {"podLabels": {"azure.workload.identity/use": "true"}, "replicaCount": 1, "resources": {"limits": {"cpu": 1}}},
    ],
)
def test_configuration_below_config_still_works(earlier: dict[str, Any]) -> None:
    assert render(earlier)
