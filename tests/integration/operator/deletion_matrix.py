"""Runs every way in which a resource can be deleted, many resources at a time, and reads what is left of each.

One scenario is one state of the operator and the chart. Its cells are all combinations of deletion policy, propagation
policy, deletion of the namespace, and consent.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal, NamedTuple

from sandbox.api import Document
from sandbox.chart.install import OPERATOR, install
from sandbox.chart.render import render
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import Team, World
from secure_redis.api import names
from tests.integration.operator.support import Case
from tests.integration.operator.workload_support import URL, USER, Target

Policy = Literal["Retain", "Delete"]
Propagation = Literal["Background", "Foreground", "Orphan"]
POLICIES: Final[tuple[Policy, ...]] = ("Retain", "Delete")
PROPAGATIONS: Final[tuple[Propagation, ...]] = ("Background", "Foreground", "Orphan")
VALUES: Final[Document] = {"workloads": {"enabled": True}}


class Cell(NamedTuple):
    """One resource. `namespace`: its namespace is deleted too. `consents`: its namespace has still a RoleBinding."""

    policy: Policy
    propagation: Propagation
    namespace: bool
    consents: bool


class Scenario(NamedTuple):
    """A state of the operator at the deletion, and when the chart is uninstalled."""

    operator: Literal["up", "down", "killed"]
    uninstall: Literal["never", "before", "after"]


CELLS: Final = tuple(Cell(*one) for one in itertools.product(POLICIES, PROPAGATIONS, (False, True), (True, False)))
# An operator that was uninstalled before is neither up nor killed.
SCENARIOS: Final = (
    Scenario("up", "never"),
    Scenario("up", "after"),
    Scenario("down", "never"),
    Scenario("down", "before"),
    Scenario("down", "after"),
    Scenario("killed", "never"),
    Scenario("killed", "after"),
)


@dataclass
class Subject:
    """The resource of one cell, its Secret as it was, and the workload that uses it (under Delete)."""

    cell: Cell
    case: Case
    data: Document = field(default_factory=dict)
    target: Target | None = None

    def gone(self) -> bool:
        """Whether the object is deleted."""
        return self.case.world.get(self.case.document) is None

    @property
    def keeps_its_secret(self) -> bool:
        """Whether the Secret is as it was before the deletion."""
        secret = self.case.secret()
        return secret is not None and "deletionTimestamp" not in secret["metadata"] and secret["data"] == self.data


class Matrix:
    """The subjects of one scenario, in one world."""

    def __init__(self, world: World, cells: Sequence[Cell]) -> None:
        self.world = world
        self.teams: dict[tuple[Policy, bool, bool], Team] = {}
        self.subjects = [self._subject(cell) for cell in cells]
        self.audited = 0

    def _subject(self, cell: Cell) -> Subject:
        place = (cell.policy, cell.namespace, cell.consents)
        if place not in self.teams:
            self.teams[place] = self.world.team()
        case = Case(self.world, self.teams[place], cell.propagation.lower())
        case.exists()
        case.store()
        return Subject(cell, case)

    def of(self, policy: Policy, *, namespace: bool) -> list[Subject]:
        """The subjects of a policy, with or without the deletion of their namespaces."""
        return [one for one in self.subjects if (one.cell.policy, one.cell.namespace) == (policy, namespace)]

    # --- the steps of a scenario ------------------------------------------------------------------------------------

    def publish(self) -> None:
        """Every resource is Ready, and under Delete a workload is injected."""
        for one in self.subjects:
            spec: Document = {"connection": {"deletionPolicy": one.cell.policy}}
            if one.cell.policy == "Delete":
                one.target = Target(one.case, one.cell.propagation.lower(), replicas=0)
                entry = {"id": "web", "kind": "Deployment", "name": one.target.name, **URL}
                spec["workloads"] = [entry]
            one.case.apply(**spec)
        for one in self.subjects:
            one.case.until("Ready", "True")
            one.data = one.case.must_secret()["data"]
        for one in self.subjects:
            if one.target is not None:
                wait_for(partial(names_secret, one.target), PATIENCE, "the injection")

    def withdraw(self) -> None:
        """The owners of some namespaces take their consent away."""
        for (_, _, consents), team in self.teams.items():
            if not consents:
                self.world.api.delete(binding(team.namespace)).must()

    def delete(self, subjects: Sequence[Subject]) -> None:
        """Delete the objects, each with its propagation policy."""
        for one in subjects:
            body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": one.cell.propagation}
            path = f"/apis/{names.API_VERSION}/namespaces/{one.case.team.namespace}/{names.PLURAL}/{one.case.cache}"
            self.world.api.call("DELETE", path, body).must()

    def delete_all(self, *, kill_in_the_middle: bool = False) -> None:
        """Delete every object, then the namespaces. `kill_in_the_middle`: the operator dies after half of them."""
        self.audited = self.world.cluster.audit_position()
        half = len(self.subjects) // 2
        order = sorted(self.subjects, key=lambda one: one.cell.propagation)  # each half has both policies
        self.delete(order[:half])
        if kill_in_the_middle:
            self.world.stop_operator(kill=True)
        self.delete(order[half:])
        for (_, namespace, _), team in self.teams.items():
            if namespace:
                self.world.api.delete(space(team)).must()

    def uninstall(self) -> None:
        """As `helm uninstall`: the operator ends, its permissions and policies go; CRD, resources, Secrets stay."""
        self.world.stop_operator()
        for document in reversed(render(VALUES)):
            if document["kind"] not in ("CustomResourceDefinition", "Namespace"):
                self.world.api.delete(document)

    def return_of_the_operator(self) -> None:
        """The operator is installed (again) and runs."""
        install(self.world.api, VALUES)
        if self.world.operator is None:
            self.world.start_operator(**VALUES)

    # --- what must be true ------------------------------------------------------------------------------------------

    def retained(self) -> None:
        """Under Retain nothing waits and no Secret is lost, whatever runs."""
        for one in self.of("Retain", namespace=False):
            wait_for(one.gone, PATIENCE, f"{one.cell} to be gone")
        for (policy, namespace, _), team in self.teams.items():
            if policy == "Retain" and namespace:
                wait_for(partial(self._ended, team), PATIENCE, "the namespace to be gone")
        lost = [one.cell for one in self.of("Retain", namespace=False) if not one.keeps_its_secret]
        assert lost == []

    def waits_without_the_operator(self) -> None:
        """Under Delete an object waits for the operator, and its Secret stays for the pods that use it."""
        for one in self.of("Delete", namespace=False):
            assert not one.gone(), one.cell
            assert one.keeps_its_secret, one.cell
            assert names_secret(one.target), one.cell

    def deleted(self) -> None:
        """Under Delete with the operator: with consent all goes in order, without it the message names the way out."""
        for one in self.of("Delete", namespace=False):
            if one.cell.consents:
                wait_for(one.gone, PATIENCE, f"{one.cell} to be gone")
                assert one.case.secret() is None, one.cell
                assert not names_secret(one.target), one.cell
        for (policy, namespace, _), team in self.teams.items():
            if policy == "Delete" and namespace:
                wait_for(partial(self._ended, team), PATIENCE, "the namespace to be gone")
        without = [one for one in self.of("Delete", namespace=False) if not one.cell.consents]
        for one in without:
            message = one.case.until("Ready", "False")
            assert f'{names.ABANDON}: "true": the object is removed immediately' in message
            assert one.keeps_its_secret, one.cell
        for one in without[:1]:
            one.case.annotate(abandon="true")
            wait_for(one.gone, PATIENCE, f"{one.cell} to be given up")
            assert one.keeps_its_secret, one.cell
        for consenting in {one.case.team.namespace for one in without}:
            self.world.bind(consenting)
        for one in without[1:]:
            wait_for(one.gone, PATIENCE, f"{one.cell} to be gone after the consent")
            assert one.case.secret() is None, one.cell

    def _ended(self, team: Team) -> bool:
        return self.world.get(space(team)) is None

    def only_the_operator_deleted_secrets(self) -> None:
        """No garbage collector deleted a Secret, and each went after its workload was released."""
        kept = {one.case.team.namespace for one in self.subjects if not one.cell.namespace}
        events = [one for one in self.world.cluster.audit_events(since=self.audited) if one.namespace in kept]
        deletions = [one for one in events if (one.verb, one.resource) == ("delete", "secrets") and one.code < 300]
        assert {one.user for one in deletions} <= {USER}
        for one in deletions:
            before = events[: events.index(one)]
            name = next(s.cell.propagation.lower() for s in self.subjects if s.case.cache == one.name)
            released = [w for w in before if (w.verb, w.resource, w.name) == ("patch", "deployments", name)]
            assert [w for w in released if w.namespace == one.namespace], f"{one.name} went before its workload"


def run(world: World, scenario: Scenario, cells: Sequence[Cell] = CELLS) -> int:
    """Run one scenario. Returns the number of its cells."""
    matrix = Matrix(world, cells)
    matrix.return_of_the_operator()
    matrix.publish()
    matrix.withdraw()
    if scenario.operator == "down":
        world.stop_operator()
    if scenario.uninstall == "before":
        matrix.uninstall()
    matrix.delete_all(kill_in_the_middle=scenario.operator == "killed")
    if scenario.uninstall == "after":
        matrix.uninstall()
    matrix.retained()
    if scenario.operator == "down":
        matrix.waits_without_the_operator()
    matrix.return_of_the_operator()
    matrix.deleted()
    matrix.retained()
    matrix.only_the_operator_deleted_secrets()
    return len(matrix.subjects)


def names_secret(target: Target | None) -> bool:
    """Whether the workload's template still names the Secret."""
    assert target is not None
    container = target.template()["spec"]["containers"][0]
    return any(one.get("valueFrom", {}).get("secretKeyRef") for one in container.get("env", []))


def binding(namespace: str) -> Document:
    """The RoleBinding by which a namespace consents."""
    metadata = {"name": OPERATOR, "namespace": namespace}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata}


def space(team: Team) -> Document:
    """The namespace of a team."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": team.namespace}}
