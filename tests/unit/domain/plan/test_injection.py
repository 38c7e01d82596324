"""Which patches an entry comes to, what they never touch, and that they undo themselves."""

from dataclasses import replace
from typing import Any

import pytest

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.spec.spec import LabelSelector
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.workload_match import (
    consents,
    current,
    matches,
    selected,
)
from secure_redis.domain.observe.workloads import (
    ContainerFacts,
    EnvFacts,
    Owned,
    WorkloadFacts,
)
from secure_redis.domain.plan.actions import InjectWorkload, ReleaseWorkload
from secure_redis.domain.plan.rollout.injection import inject, release
from tests.builders.passes import resource
from tests.builders.workloads import ENTRY, MANAGED, V1, V2, consumer, done, entry, released, workload

VERSION = "orders.secureredis.io/version"
ORDERS = consumer(ENTRY)


def planned(facts: WorkloadFacts, version: str = V1, secret: str = "orders", **changes: Any) -> Any:  # noqa: S107 - a name
    return inject(ORDERS, entry(**changes), facts, secret, version)


def action(facts: WorkloadFacts, version: str = V1, secret: str = "orders", **changes: Any) -> InjectWorkload:  # noqa: S107
    found = planned(facts, version, secret, **changes)
    assert isinstance(found, InjectWorkload), found
    return found


def refused(facts: WorkloadFacts, **changes: Any) -> Reason:
    found = planned(facts, **changes)
    assert isinstance(found, Explanation), found
    assert "checkout" in found.message or "spec.workloads" in found.message
    return found.reason


def has(facts: WorkloadFacts, container: str = "app") -> tuple[dict[str, Any], dict[str, str]]:
    (one,) = [c for c in facts.containers if c.name == container]
    return {e.name: (e.secret, e.key) if e.secret else e.value for e in one.env}, {path: of for of, path in one.mounts}


URL = [{"name": "REDIS_URL", "key": "uri"}]
OWN = {"LEVEL": None}


# --- shapes ---------------------------------------------------------------------------------------------------------


def test_the_apply_contains_only_the_annotation_and_the_volume() -> None:
    assert action(workload(), mountPath="/etc/redis").apply == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "checkout", "namespace": "shop", "uid": "uid-checkout"},
        "spec": {
            "template": {
                "metadata": {"annotations": {VERSION: V1}},
                "spec": {"volumes": [{"name": MANAGED, "secret": {"secretName": "orders"}}]},
            }
        },
    }


def test_the_strategic_merge_contains_only_env_and_mounts_by_container() -> None:
    assert action(workload(), mountPath="/etc/redis", env=URL).strategic == {
        "spec": {
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": "app",
                            "env": [
                                {
                                    "name": "REDIS_URL",
                                    "valueFrom": {"secretKeyRef": {"name": "orders", "key": "uri"}},
                                }
                            ],
                            "volumeMounts": [{"name": MANAGED, "mountPath": "/etc/redis", "readOnly": True}],
                        }
                    ]
                }
            }
        }
    }


def test_a_cron_job_has_its_template_in_that_of_its_jobs() -> None:
    found = action(workload(kind="CronJob"), env=URL, kind="CronJob")
    assert found.apply["apiVersion"] == "batch/v1"
    assert found.apply["spec"] == {"jobTemplate": {"spec": {"template": {"metadata": {"annotations": {VERSION: V1}}}}}}
    (container,) = found.strategic["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["name"] == "app"


def test_the_rehearsal_is_both_in_one() -> None:
    found = action(workload(), mountPath="/etc/redis")
    template = found.rehearsal["spec"]["template"]
    assert template["metadata"] == found.apply["spec"]["template"]["metadata"]
    assert template["spec"]["volumes"] == found.apply["spec"]["template"]["spec"]["volumes"]
    assert template["spec"]["containers"] == found.strategic["spec"]["template"]["spec"]["containers"]


def test_the_object_that_was_read_is_named() -> None:
    found = action(workload(), env=URL)
    assert (found.kind, found.name, found.uid, found.resource_version) == (
        "Deployment",
        "checkout",
        "uid-checkout",
        "5",
    )
    assert found.version == V1


@pytest.mark.parametrize("bare", [{}, {"env": URL}, {"mountPath": "/r"}, {"env": URL, "mountPath": "/r"}])
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "CronJob"])
def test_once_it_is_there_nothing_is_written_and_release_leaves_what_was(bare: dict[str, Any], kind: str) -> None:
    before = workload(kind=kind)
    after = done(before, action(before, kind=kind, **bare))
    assert planned(after, kind=kind, **bare) is None
    assert current(ORDERS, after, V1)
    clean = released(after, release(ORDERS, after))
    assert replace(clean, owned=Owned(), rolled=True) == before
    assert release(ORDERS, clean) is None


# --- the forms ------------------------------------------------------------------------------------------------------


def test_env_only_mounts_nothing() -> None:
    after = done(workload(), action(workload(), env=URL))
    assert has(after) == ({**OWN, "REDIS_URL": ("orders", "uri")}, {"/data": "data"})
    assert dict(after.volumes) == {"data": None}


def test_service_binding_sets_the_root() -> None:
    after = done(workload(), action(workload()))
    assert has(after) == ({**OWN, "SERVICE_BINDING_ROOT": "/bindings"}, {"/data": "data", "/bindings/orders": MANAGED})


def test_service_binding_keeps_the_containers_own_root() -> None:
    own = workload(containers=(ContainerFacts("app", env=(EnvFacts("SERVICE_BINDING_ROOT", value="/b/"),)),))
    after = done(own, action(own))
    assert has(after) == ({"SERVICE_BINDING_ROOT": "/b/"}, {"/b/orders": MANAGED})
    clean = released(after, release(ORDERS, after))
    assert has(clean) == ({"SERVICE_BINDING_ROOT": "/b/"}, {})


def test_service_binding_with_a_root_from_elsewhere_is_refused() -> None:
    own = workload(containers=(ContainerFacts("app", env=(EnvFacts("SERVICE_BINDING_ROOT"),)),))
    assert refused(own) is Reason.TARGET_CONFLICT


def test_a_root_that_moves_takes_the_mount_along() -> None:
    after = done(workload(), action(workload()))
    (app, init) = after.containers
    moved = replace(
        after,
        containers=(replace(app, env=(EnvFacts("SERVICE_BINDING_ROOT", value="/b"),)), init),
        owned=replace(after.owned, roots=frozenset()),
    )
    assert has(done(moved, action(moved))) == (
        {"SERVICE_BINDING_ROOT": "/b"},
        {"/data": "data", "/b/orders": MANAGED},
    )


def test_all_containers_but_no_init_containers_by_default() -> None:
    two = workload(
        containers=(
            ContainerFacts("a"),
            ContainerFacts("b"),
            ContainerFacts("i", init=True),
            ContainerFacts("j", init=True),
        )
    )
    after = done(two, action(two, env=URL))
    assert [bool(has(after, name)[0]) for name in "abij"] == [True, True, False, False]
    after = done(two, action(two, env=URL, containers=["b"], initContainers=["j"]))
    assert [bool(has(after, name)[0]) for name in "abij"] == [False, True, False, True]
    spec = action(two, env=URL, containers=["b"], initContainers=["j"]).strategic["spec"]["template"]["spec"]
    assert ([c["name"] for c in spec["containers"]], [c["name"] for c in spec["initContainers"]]) == (["b"], ["j"])


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": {}},
        {"labels": {names.INJECT: "false"}},
        {"annotations": {}},
        {"annotations": {names.RESOURCES: "orders2, sessions"}},
        {"annotations": {names.RESOURCES: ""}},
        {"annotations": {names.RESOURCES: "*"}},
    ],
)
def test_without_consent_nothing_is_done(changes: dict[str, Any]) -> None:
    assert not consents(ORDERS, workload(**changes))
    assert refused(workload(**changes), env=URL) is Reason.TARGET_NOT_CONSENTING


@pytest.mark.parametrize("changes", [{"containers": ["ap"]}, {"containers": ["migrate"]}, {"initContainers": ["app"]}])
def test_a_container_that_is_not_there(changes: dict[str, Any]) -> None:
    assert refused(workload(), env=URL, **changes) is Reason.CONTAINER_NOT_FOUND


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PATH", "https_proxy", "KUBERNETES_SERVICE_HOST", "PYTHONPATH"])
def test_a_variable_that_redirects_execution(name: str) -> None:
    """An older CRD accepts the name, so the plan refuses it too."""
    found = planned(workload(), env=[{"name": name, "key": "uri"}])
    assert isinstance(found, Explanation)
    assert found.reason is Reason.INJECTION_UNSAFE
    assert f"sets {name}, by which" in found.message


@pytest.mark.parametrize("path", ["/etc", "/bin", "/usr/../bin", "//proc/", "/var/run/secrets/x", "/app/.ssh"])
def test_a_mount_that_hides_the_system(path: str) -> None:
    assert refused(workload(), env=(), mountPath=path) is Reason.INJECTION_UNSAFE


def test_a_binding_root_inside_the_system() -> None:
    """The workload's owner chose the root, and the author chose the resource's name below it."""
    app = ContainerFacts("app", env=(EnvFacts("SERVICE_BINDING_ROOT", value="/usr/lib"),))
    found = planned(workload(containers=(app,)))
    assert isinstance(found, Explanation)
    assert found.reason is Reason.INJECTION_UNSAFE


def test_a_key_that_the_secret_does_not_contain() -> None:
    env = [{"name": "CA", "key": "ca.crt"}]
    assert isinstance(planned(workload(), env=env), InjectWorkload)
    found = inject(ORDERS, entry(env=env), workload(), "orders", V1, keys={"uri", "host"})
    assert isinstance(found, Explanation)
    assert found.reason is Reason.KEY_NOT_PUBLISHED
    assert "no key 'ca.crt'" in found.message
    assert "use one of host, uri," in found.message
    assert refused(workload(), env=[{"name": "X", "key": "nope"}]) is Reason.KEY_NOT_PUBLISHED


@pytest.mark.parametrize(
    "taken",
    [
        EnvFacts("REDIS_URL"),
        EnvFacts("REDIS_URL", "theirs", "uri"),
        EnvFacts("REDIS_URL", "orders", "host"),
    ],
)
def test_an_env_entry_of_that_name_is_left_alone(taken: EnvFacts) -> None:
    assert refused(workload(containers=(ContainerFacts("app", env=(taken,)),)), env=URL) is Reason.TARGET_CONFLICT


def test_an_env_entry_that_is_as_required_already_is_no_conflict_and_keeps_its_owner() -> None:
    theirs = workload(containers=(ContainerFacts("app", env=(EnvFacts("REDIS_URL", "orders", "uri"),)),))
    found = action(theirs, env=URL)
    assert found.strategic == {}
    after = done(theirs, found)
    assert has(released(after, release(ORDERS, after)))[0] == {"REDIS_URL": ("orders", "uri")}


def test_an_overwritten_value_belongs_to_its_writer() -> None:
    after = done(workload(), action(workload(), env=URL))
    app = after.containers[0]
    theirs = replace(after, containers=(replace(app, env=(EnvFacts("REDIS_URL"),)),))
    assert refused(theirs, env=URL) is Reason.TARGET_CONFLICT
    clean = release(ORDERS, theirs)
    assert clean is not None
    assert clean.strategic == {}


OVERLAPPING = {
    "at": ["/etc/redis", "/etc/redis/", "//etc/./redis", "/etc/x/../redis"],
    "below": ["/etc/redis/redis.conf", "/etc/redis//tls/ca", "/etc/x/../redis/y"],
    "above": ["/etc", "/etc/", "//etc/.", "/"],
}


@pytest.mark.parametrize("init", [False, True])
@pytest.mark.parametrize(("where", "path"), [(where, path) for where, found in OVERLAPPING.items() for path in found])
def test_a_foreign_mount_at_above_or_below_the_path_is_a_conflict(where: str, path: str, init: bool) -> None:
    """A ConfigMap's file that is mounted by subPath is one below."""
    there = ContainerFacts("app", init=init, mounts=(("data", path),))
    taken = workload(containers=(there, ContainerFacts("other")))
    asked: dict[str, Any] = {"initContainers": ["app"]} if init else {"containers": ["app"]}
    found = planned(taken, mountPath="/etc/redis", **asked)
    assert isinstance(found, Explanation)
    assert found.reason is Reason.TARGET_CONFLICT
    assert f"a mount at {path!r}" in found.message
    assert (where == "at") or f"which is {where} '/etc/redis'" in found.message
    elsewhere = planned(taken, mountPath="/etc/redis", containers=["other"])
    assert isinstance(elsewhere, InjectWorkload), "another container is not concerned"


@pytest.mark.parametrize("path", ["/etc/redis2", "/etc/redi", "/etc/redis.conf", "/var/etc/redis", "/data/redis"])
def test_a_mount_beside_the_path_is_no_conflict(path: str) -> None:
    beside = workload(containers=(ContainerFacts("app", mounts=(("data", path),)),))
    assert isinstance(planned(beside, mountPath="/etc/redis"), InjectWorkload)


def test_a_mount_that_appears_below_the_injected_one_is_reported() -> None:
    first = done(workload(), action(workload(), mountPath="/etc/redis"))
    app, *rest = first.containers
    theirs = replace(first, containers=(replace(app, mounts=(*app.mounts, ("data", "/etc/redis/x"))), *rest))
    assert refused(theirs, mountPath="/etc/redis") is Reason.TARGET_CONFLICT


@pytest.mark.parametrize("secret", [None, "theirs"])
def test_a_volume_of_that_name_is_left_alone(secret: str | None) -> None:
    assert refused(workload(volumes=((MANAGED, secret),))) is Reason.TARGET_CONFLICT
    assert isinstance(planned(workload(volumes=((MANAGED, secret),)), env=URL), InjectWorkload)


def test_a_conflict_in_one_container_leaves_the_others_alone_too() -> None:
    two = workload(containers=(ContainerFacts("a"), ContainerFacts("b", env=(EnvFacts("REDIS_URL"),))))
    assert refused(two, env=URL) is Reason.TARGET_CONFLICT
    assert isinstance(planned(two, env=URL, containers=["a"]), InjectWorkload)


# --- changes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"env": URL}, {"env": [{"name": "OTHER", "key": "uri"}]}),
        ({"env": URL}, {"env": [{"name": "REDIS_URL", "key": "host"}]}),
        ({"env": URL}, {}),
        ({}, {"env": URL}),
        ({"mountPath": "/a"}, {"mountPath": "/b"}),
        ({"mountPath": "/a"}, {"env": URL}),
        ({"env": URL, "mountPath": "/a"}, {"env": URL}),
        ({}, {"mountPath": "/bindings"}),
        ({"env": URL}, {"env": URL, "initContainers": ["migrate"]}),
        ({"env": URL, "initContainers": ["migrate"]}, {"env": URL}),
    ],
)
def test_a_changed_entry_comes_to_the_same_as_a_new_one(before: dict[str, Any], after: dict[str, Any]) -> None:
    first = done(workload(), action(workload(), **before))
    changed = done(first, action(first, **after))
    fresh = done(workload(), action(workload(), **after))
    assert (changed.containers, changed.volumes) == (fresh.containers, fresh.volumes)
    assert planned(changed, **after) is None
    clean = released(changed, release(ORDERS, changed))
    assert replace(clean, owned=Owned(), rolled=True) == workload()


def test_a_container_that_is_not_chosen_any_more_is_cleared() -> None:
    two = workload(containers=(ContainerFacts("a"), ContainerFacts("b")))
    first = done(two, action(two, env=URL))
    found = action(first, env=URL, containers=["a"])
    assert found.apply == {}
    assert found.strategic["spec"]["template"]["spec"]["containers"] == [
        {"name": "b", "env": [{"$patch": "delete", "name": "REDIS_URL"}]}
    ]


def test_removed_mounts_go_before_their_volume_and_new_ones_come_after() -> None:
    assert action(workload(), mountPath="/a").strategic_first is False
    first = done(workload(), action(workload(), mountPath="/a"))
    found = action(first, env=URL)
    assert found.strategic_first is True
    assert found.rehearsal["spec"]["template"]["spec"]["volumes"] == [{"$patch": "delete", "name": MANAGED}]
    clean = release(ORDERS, first)
    assert isinstance(clean, ReleaseWorkload)
    assert clean.strategic_first is True
    assert clean.apply == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "checkout", "namespace": "shop", "uid": "uid-checkout"},
    }


def test_a_new_version_changes_the_annotation_only() -> None:
    first = done(workload(), action(workload(), env=URL, mountPath="/a"))
    found = action(first, V2, env=URL, mountPath="/a")
    assert found.strategic == {}
    template = found.apply["spec"]["template"]
    assert template["metadata"]["annotations"] == {VERSION: V2}
    assert template["spec"]["volumes"], "what an apply leaves out is removed"


@pytest.mark.parametrize("restart", ["None", "OnDelete"])
def test_without_restart_a_new_version_changes_nothing(restart: str) -> None:
    first = done(workload(), action(workload(), env=URL, restart=restart))
    assert current(ORDERS, first, V1)
    assert planned(first, V2, env=URL, restart=restart) is None
    other = action(first, V2, env=[{"name": "OTHER", "key": "uri"}], restart=restart)
    assert other.apply == {}


def test_another_secret_name_moves_env_and_volume() -> None:
    first = done(workload(), action(workload(), env=URL, mountPath="/a"))
    moved = done(first, action(first, secret="other", env=URL, mountPath="/a"))
    assert has(moved)[0]["REDIS_URL"] == ("other", "uri")
    assert dict(moved.volumes)[MANAGED] == "other"


@pytest.mark.parametrize("half", ["apply", "strategic"])
def test_a_crash_between_the_writes_is_made_good(half: str) -> None:
    whole = action(workload(), env=URL)
    first = done(workload(), replace(whole, apply={}) if half == "apply" else replace(whole, strategic={}))
    found = action(first, env=URL)
    assert getattr(found, half) == getattr(whole, half)
    assert planned(done(first, found), env=URL) is None


def test_a_container_that_git_renamed_is_injected_again() -> None:
    first = done(workload(), action(workload(), env=URL))
    renamed = replace(first, containers=(ContainerFacts("web"), first.containers[1]))
    assert [c["name"] for c in action(renamed, env=URL).strategic["spec"]["template"]["spec"]["containers"]] == ["web"]
    clean = release(ORDERS, renamed)
    assert clean is not None
    assert clean.strategic == {}, "a patch that names a container that is gone would make one"


def test_a_mount_that_another_manager_made_belongs_to_it() -> None:
    first = done(workload(), action(workload(), mountPath="/a"))
    (app, init) = first.containers
    theirs = replace(first, containers=(replace(app, mounts=(*app.mounts, (MANAGED, "/theirs"))), init))
    assert planned(theirs, mountPath="/a") is None
    clean = release(ORDERS, theirs)
    assert clean is not None
    (container,) = clean.strategic["spec"]["template"]["spec"]["containers"]
    assert container["volumeMounts"] == [{"$patch": "delete", "mountPath": "/a"}]


# --- two resources --------------------------------------------------------------------------------------------------


def _of(name: str) -> Any:
    other = resource({"workloads": [ENTRY]})
    return replace(other, key=other.key._replace(name=name))


def _as_seen_by(facts: WorkloadFacts, owned: Owned, roots: frozenset[str]) -> WorkloadFacts:
    return replace(facts, owned=replace(owned, roots=roots))


def test_two_resources_in_one_workload_do_not_disturb_each_other() -> None:
    sessions = _of("sessions")
    first = done(workload(), action(workload()))
    mine, roots = first.owned, first.owned.roots
    found = inject(sessions, entry(), _as_seen_by(first, Owned(), roots), "sessions", V2)
    assert isinstance(found, InjectWorkload)
    both = done(_as_seen_by(first, Owned(), roots), found)
    theirs = both.owned
    assert has(both)[1] == {"/data": "data", "/bindings/orders": MANAGED, "/bindings/sessions": "secureredis-sessions"}
    assert planned(_as_seen_by(both, mine, roots)) is None
    assert inject(sessions, entry(), _as_seen_by(both, theirs, roots), "sessions", V2) is None
    # The one that set the root goes: the other still needs it.
    left = released(_as_seen_by(both, mine, roots), release(ORDERS, _as_seen_by(both, mine, roots)))
    assert has(left) == (
        {**OWN, "SERVICE_BINDING_ROOT": "/bindings"},
        {"/data": "data", "/bindings/sessions": "secureredis-sessions"},
    )
    last = _as_seen_by(left, theirs, roots)
    assert inject(sessions, entry(), last, "sessions", V2) is None
    clean = released(last, release(sessions, last))
    assert replace(clean, owned=Owned(), rolled=True) == workload()


def test_two_resources_with_the_same_env_name_conflict() -> None:
    first = done(workload(), action(workload(), env=URL))
    found = inject(_of("sessions"), entry(env=URL), replace(first, owned=Owned()), "sessions", V2)
    assert isinstance(found, Explanation)
    assert found.reason is Reason.TARGET_CONFLICT


# --- names and selectors --------------------------------------------------------------------------------------------


def test_names_are_legal_stable_and_distinct() -> None:
    assert names.volume_name("orders") == MANAGED
    long, dotted = "a" * 63, "orders.v1"
    for name in (long, dotted, "b." * 31 + "b"):
        volume = names.volume_name(name)
        assert len(volume) <= 63
        assert "." not in volume
        assert volume.startswith("secureredis-")
    assert len({names.volume_name(n) for n in ("a.b", "a-b", "a" * 62, "a" * 63, "a" * 61 + ".a")}) == 5
    assert names.field_manager("orders") == "secureredis.io/orders"
    assert len(names.field_manager("x" * 200)) <= 128


@pytest.mark.parametrize(
    ("selector", "labels", "holds"),
    [
        ({}, {}, True),
        ({"matchLabels": {"a": "1"}}, {"a": "1", "b": "2"}, True),
        ({"matchLabels": {"a": "1"}}, {"a": "2"}, False),
        ({"matchLabels": {"a": ""}}, {}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, {"a": "2"}, True),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}, {}, False),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {"a": "1"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {"a": ""}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {"a": ""}, False),
        ({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}, {"a": "2"}, False),
        ({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}, {"a": "1"}, False),
    ],
)
def test_selectors_select_as_kubernetes_does(selector: dict[str, Any], labels: dict[str, str], holds: bool) -> None:
    assert selected(LabelSelector.model_validate(selector), labels) is holds


def test_which_workloads_an_entry_selects() -> None:
    assert matches(entry(), workload())
    assert not matches(entry(), workload("other"))
    assert not matches(entry(kind="StatefulSet"), workload())
    by_label = entry(name=None, selector={})
    assert matches(by_label, workload("anything"))
    assert not matches(by_label, workload(labels={})), "a selector means only what carries the consenting label"
