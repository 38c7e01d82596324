"""The five chapters. Each shows `kubectl` output and checks its claims."""

import base64
import json
import time
from collections.abc import Callable, Mapping

from sandbox.azure.state.request_log import LoggedRequest
from sandbox.demo import application
from sandbox.demo import shop as shops
from sandbox.demo.shop import Shop
from sandbox.demo.stage import Stage, row_of
from sandbox.demo.story import DemoError

_NON_TLS = "transport.nonTLSPort"
_PLAIN_PORT = "6379"
_REPAIR_SECONDS = 30.0  # it takes about one; the machine may be busy
_FINDINGS = r'{{range .status.compliance.findings}}{{.rule}} {{.result}} {{.severity}}: {{.message}}{{"\n"}}{{end}}'
Chapter = Callable[[Stage, Shop], None]


def consent(stage: Stage, shop: Shop) -> None:
    """Show how the namespace's owner consents."""
    stage.story.say(
        """The owner of the namespace consents: a RoleBinding lets the operator work here, and an annotation on the
        ServiceAccount says which resources may use its Azure identity. Without them it may do nothing."""
    )
    shops.apply(stage, "namespace-consent.yaml")


def unsafe(stage: Stage, shop: Shop) -> None:
    """Show how an unsafe cache is validated."""
    story, control = stage.story, stage.control
    story.say(
        """The cache `legacy` was made years ago by hand. We declare what we expect of it and let the operator look. Its
        identity may write to Azure; mode Validate (the default) is what keeps it from doing so."""
    )
    since, before = control.log.position(), control.redis.get("legacy")
    shops.apply(stage, "validate-audit-only.yaml")
    stage.until("legacy", "DriftDetected", "True")
    stage.until("legacy", "TransportSecured", "False")
    row = row_of(stage.show("get", "srcache", "legacy"), "legacy")
    stage.excerpt("legacy", "Drift")
    story.say("What the rules say of it, worst first:")
    stage.show("get", "srcache", "legacy", "-o", f"go-template={_FINDINGS}")
    status = stage.status("legacy")
    story.claim("`kubectl get srcache` answers at a glance: SECURE False, DRIFT True", _shown(row) == ("False", "True"))
    failed = {one["rule"] for one in status["compliance"]["findings"] if one["result"] == "Fail"}
    drifted = {one["path"] for one in status["drift"]}
    story.claim(
        "the open non-TLS port, TLS 1.0 and public access are found (rules T1, T2, N1)", {"T1", "T2", "N1"} <= failed
    )
    wanted = {_NON_TLS, "transport.minimumTLSVersion", "network.publicAccess"}
    story.claim("the same three are reported as drift, field by field", drifted == wanted)
    answer = _plaintext(stage, "legacy")
    story.claim(f"it is really so: {_PLAIN_PORT} talks without TLS ({answer})", answer.startswith("answered"))
    reads = control.log.requests(since, service="arm")
    story.claim(f"Azure was read {len(reads)} times and written 0 times", bool(reads) and not control.log.writes(since))
    story.claim("the cache is as it was", control.redis.get("legacy") == before)
    story.claim("no Secret was published: none was asked for", not _secret_exists(stage, "legacy"))


def provision(stage: Stage, shop: Shop) -> None:
    """Show how a safe cache is created and its key stored in Key Vault and in a Secret."""
    story, control = stage.story, stage.control
    story.say(
        f"""The team asks for a new cache `sessions`: Premium, no public access. Azure takes 10 to 20 minutes for that;
        the simulated one takes {shops.CREATE_SECONDS:g} seconds. The operator asks, comes back, and never waits."""
    )
    since = control.log.position()
    shops.apply(stage, "provision-premium.yaml")
    stage.await_(lambda: stage.status("sessions").get("cache"), "Azure to begin the cache `sessions`")
    stage.show("get", "srcache", "sessions", "-o", "wide")
    stage.until("sessions", "Ready", "False", "NoRoute")
    stage.until("sessions", "CredentialsSynced", "True")
    story.say("Created, but nothing can reach it. The operator makes no networks; it says what is missing:")
    stage.show("get", "srcache", "sessions", "-o", "wide")
    story.output(stage.message("sessions", "Ready"))
    story.claim(
        "a cache without a route is not called ready (NoRoute)", stage.condition("sessions", "Ready")[0] == "False"
    )
    story.happens("platform team", "makes a private endpoint for `sessions` and approves it")
    control.redis.set_private_endpoint("sessions", "shop-vnet", "Approved")
    stage.refresh("sessions")
    stage.until("sessions", "Ready", "True")
    stage.show("get", "srcache", "sessions", "-o", "wide")
    versions = control.keyvault.secret_versions(shop.vault, "sessions-redis-key")
    tags = (versions[-1].tags or {}) if versions else {}
    story.say(
        "The key went from Azure to Key Vault, and from there to the Secret (`describe` shows names and sizes only):"
    )
    for name, value in sorted(tags.items()):
        story.note(f"vault secret sessions-redis-key, tag {name}: {value}")
    stage.show("describe", "secret", "sessions")
    keys = control.redis.keys("sessions")
    created = [one for one in control.log.effects(since) if one.kind == "cache.create"]
    asked = [one.method for one in control.log.writes(since) if one.service == "arm"]
    story.claim("one cache was created, by one request", len(created) == 1 and asked == ["PUT"])
    stored = len(versions) == 1 and versions[0].value in keys.values()
    story.claim("Key Vault holds exactly one version, and it is a live key of the cache", stored)
    owner = str(tags.get("ProviderAddress", "")).lower()
    story.claim("the version's tags say which cache it opens", owner.endswith("/redis/sessions"))
    secret = _values(stage, "sessions")
    story.claim("the Secret holds that key", bool(versions) and secret.get("password") == versions[0].value)
    story.claim("the Secret can only be used over TLS (rediss://)", secret.get("uri", "").startswith("rediss://"))


def client(stage: Stage, shop: Shop) -> None:
    """Show a pod that uses the Secret."""
    story, control = stage.story, stage.control
    story.say(
        """The cache `orders` exists already and its owner keeps the key in Key Vault. The smallest object there is
        publishes the Secret, and an ordinary Deployment uses it."""
    )
    since = control.log.position()
    shops.apply(stage, "validate-minimal.yaml")
    stage.until("orders", "Ready", "True")
    stage.show("get", "srcache", "orders", "-o", "wide")
    application.start(stage)
    story.say("Each line of its log is one turn: PING, SET and GET were answered, and this TLS version was spoken.")
    lines = application.show_log(stage, 3)
    host = control.endpoints.redis_host("orders")
    good = bool(lines) and all(line.startswith("OK ") and host in line and "TLSv1." in line for line in lines)
    story.claim("the client talks to Redis over TLS with what the Secret holds", good)
    answer = _plaintext(stage, "orders")
    story.claim(f"without TLS no client is let in: {_PLAIN_PORT} {answer}", answer.startswith("refused"))
    story.claim("nothing was written to Azure for it", not _writes(stage, since, "orders"))
    story.say(
        "A third way: a Standard cache with a public address, open to two ranges only, with names that a chart wants."
    )
    shops.apply(stage, "provision-standard-public-firewall.yaml")
    stage.until("catalog", "Ready", "True")
    stage.show("get", "srcache")
    names = set(_values(stage, "catalog-redis"))
    story.claim(
        "its Secret has the further names (REDIS_HOST, REDIS_PASSWORD)", {"REDIS_HOST", "REDIS_PASSWORD"} <= names
    )
    effects = [one.kind for one in control.log.effects(since) if "/redis/catalog" in one.target.lower()]
    story.claim("its two firewall rules were there before public access was", _rules_first(effects))


def drift(stage: Stage, shop: Shop) -> None:
    """Show the non-TLS port opened in the portal: once only reported, once corrected."""
    story, control = stage.story, stage.control
    story.happens("a user of the portal", f"opens the non-TLS port {_PLAIN_PORT} of `orders` and of `sessions`")
    since = control.log.position()
    for cache in ("orders", "sessions"):
        control.redis.update(cache, {"enableNonSslPort": True})
    open_now = _plaintext(stage, "orders")
    story.claim(f"the port is really open: without TLS `orders` says ({open_now})", open_now.startswith("answered"))
    story.say(
        """The operator reads Azure every `drift.intervalSeconds` (300 by default, 30 at least). The demo does not wait
        for that. It requests a refresh by annotation, as anyone with the permission to edit the object can."""
    )
    stage.refresh("orders", "sessions")
    stage.until("orders", "DriftDetected", "True")
    row = row_of(stage.show("get", "srcache"), "orders")
    story.say("`orders` is only validated, so it is reported and left alone:")
    stage.excerpt("orders", "Drift")
    entry: Mapping[str, str] = next(
        (one for one in stage.status("orders").get("drift", []) if one["path"] == _NON_TLS), {}
    )
    reported = (entry.get("declared"), entry.get("observed"), entry.get("class"))
    story.claim(
        "`orders`: path, declared, observed, class and since are reported",
        reported == ("Disabled", "Enabled", "Security") and bool(entry.get("since")),
    )
    story.claim("`orders`: `kubectl get srcache` shows SECURE False and DRIFT True", _shown(row) == ("False", "True"))
    story.claim("`orders`: READY stays True, as its Secret still works", row.get("READY") == "True")
    story.claim("`orders`: nothing was written to Azure", not _writes(stage, since, "orders"))

    story.say("`sessions` is provisioned with `drift.correct: [Security]`, so it is reported and then corrected:")
    stage.await_(lambda: not _open(stage, "sessions"), "the operator to close the non-TLS port of `sessions`")
    stage.until("sessions", "DriftDetected", "False")
    stage.until("sessions", "Ready", "True")
    stage.show("events", "--for", "srcache/sessions")
    reasons = [one["reason"] for one in _events(stage, "sessions")]
    story.claim("`sessions`: the drift was reported", "Drifted" in reasons)
    writes = _writes(stage, since, "sessions")
    for one in writes:
        story.note(f"{one.method} …/redis/{one.path.rsplit('/', 1)[-1]}  fields: {', '.join(one.body_keys)}")
    only = [(one.method, _leaves(one)) for one in writes] == [("PATCH", ("properties.enableNonSslPort",))]
    story.claim("`sessions`: it was corrected by one PATCH of exactly that field", only)
    answer = _plaintext(stage, "sessions")
    story.claim(f"`sessions`: {_PLAIN_PORT} is closed again ({answer})", answer.startswith("refused"))

    story.happens("the owner of `orders`", "closes the port there")
    control.redis.update("orders", {"enableNonSslPort": False})
    stage.refresh("orders")
    stage.until("orders", "DriftDetected", "False")
    stage.until("orders", "TransportSecured", "True")  # the endpoint itself is probed again, apart from the passes
    row = row_of(stage.show("get", "srcache"), "orders")
    story.claim("`orders`: the drift is gone after the correction", _shown(row) == ("True", "False"))


def tamper(stage: Stage, shop: Shop) -> None:
    """Show an edited Secret."""
    story = stage.story
    story.say("A user points the applications at another host by editing the Secret. The operator watches it.")
    before = _values(stage, "orders")
    patch = json.dumps({"stringData": {"host": "redis.elsewhere.example"}})
    story.command(f"kubectl -n {stage.namespace} patch secret orders --type=merge -p '{patch}'")
    began = time.monotonic()
    story.output(stage.kubectl("-n", stage.namespace, "patch", "secret", "orders", "--type=merge", "-p", patch))
    stage.await_(lambda: _values(stage, "orders") == before, "the Secret to be repaired", _REPAIR_SECONDS)
    seconds = time.monotonic() - began
    shown = ("get", "secret", "orders", "-o", "go-template={{.data.host | base64decode}}")
    stage.show(*shown)
    story.claim(f"the Secret was as before after {seconds:.1f} seconds", _values(stage, "orders") == before)
    turns = application.turns(stage)
    stage.await_(lambda: application.turns(stage) > turns, "the client to go on")
    bad = [line for line in application.log(stage).splitlines() if not line.startswith("OK ")]
    story.claim("through all of it the client never failed a turn", not bad)


CHAPTERS: tuple[tuple[str, Chapter], ...] = (
    ("An unsafe cache is validated", unsafe),
    ("A safe one is provisioned", provision),
    ("A client pod connects over TLS", client),
    ("A user opens the non-TLS port in the portal", drift),
    ("A user tampers with the Secret", tamper),
)


def _shown(row: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Return SECURE and DRIFT of a row."""
    return row.get("SECURE"), row.get("DRIFT")


def _plaintext(stage: Stage, cache: str) -> str:
    return stage.in_names("sandbox.demo.plaintext", stage.control.endpoints.redis_host(cache), _PLAIN_PORT)


def _writes(stage: Stage, since: int, cache: str) -> list[LoggedRequest]:
    """Return the writes to Azure that name the cache (its vault secret is named after it)."""
    return [one for one in stage.control.log.writes(since) if f"/{cache}" in one.path.lower()]


def _leaves(request: LoggedRequest) -> tuple[str, ...]:
    names = request.body_keys
    return tuple(one for one in names if not any(other.startswith(f"{one}.") for other in names))


def _open(stage: Stage, cache: str) -> bool:
    found = stage.control.redis.get(cache)
    if found is None:
        raise DemoError(f"the cache {cache} is gone from Azure")
    return bool(found["properties"]["enableNonSslPort"])


def _rules_first(kinds: list[str]) -> bool:
    """Return whether both rules were set before the update that opens public access."""
    if "cache.update" not in kinds:
        return False
    return kinds[: kinds.index("cache.update")].count("firewallRule.set") == 2


def _secret_exists(stage: Stage, name: str) -> bool:
    return bool(stage.kubectl("-n", stage.namespace, "get", "secret", name, "--ignore-not-found").strip())


def _values(stage: Stage, secret: str) -> Mapping[str, str]:
    data = stage.get("secret", secret).get("data", {})
    return {name: base64.b64decode(value).decode(errors="replace") for name, value in data.items()}


def _events(stage: Stage, resource: str) -> list[dict[str, str]]:
    path = f"/apis/events.k8s.io/v1/namespaces/{stage.namespace}/events"
    found = stage.api.get(path).must()["items"]
    return [one for one in found if one.get("regarding", {}).get("name") == resource]
