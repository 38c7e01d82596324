"""docs/internals/status-fields.md: every field of the status, who reads it back, and what a forged one does."""

import re
from pathlib import Path

import pytest

from secure_redis.api.status import Status
from tests.builders.forged.stories import STORIES
from tests.builders.forged.story import NOTHING, WITHOUT, Story, outcomes
from tests.builders.forged_statuses import FORGERIES, PHASES, outcome

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/internals/status-fields.md"
CODE = ROOT / "operator/secure_redis"
# `resource.status.rotation`, also as the base of a chain. `condition()` reads the conditions.
READ = re.compile(r"\b(?:resource|self|envelope)\.status\.(\w+)")
OTHERS = {"condition": "conditions", "document": None, "model_copy": None}
# They read a whole status that they get as an argument.
BY_ARGUMENT = {"endpoint": {"domain/report/endpoint_status.py"}}


def text_of(section: str) -> str:
    """The text below a heading, up to the next heading."""
    after = PAGE.read_text(encoding="utf-8").split(f"## {section}\n", 1)[1]
    return re.split(r"\n##+ ", after, maxsplit=1)[0]


def rows(section: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    lines = [line for line in text_of(section).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def alias(field: str) -> str:
    found = Status.model_fields[field].alias
    return found if found is not None else field


def readers() -> dict[str, set[str]]:
    """By field: the modules that read it from the stored status."""
    found = {alias(field): set(BY_ARGUMENT.get(alias(field), ())) for field in Status.model_fields}
    for path in CODE.rglob("*.py"):
        module = str(path.relative_to(CODE))
        if module.startswith(("domain/report/", "telemetry/")) or module == "reconciler/brakes.py":
            continue
        for name in READ.findall(path.read_text(encoding="utf-8")):
            field = OTHERS.get(name, name)
            if field is not None:
                found[alias(field)].add(module)
    return found


def test_every_field_is_on_the_page_with_its_readers() -> None:
    listed = {cells[0].strip("`"): set(re.findall(r"`([\w/]+\.py)`", cells[1])) for cells in rows("The fields")}
    assert listed == readers()


def test_every_row_states_what_happens() -> None:
    for cells in rows("The fields"):
        assert len(cells) == 4, cells
        assert all(cells), cells


@pytest.mark.parametrize("phase", PHASES)
def test_the_table_of_forged_statuses_is_what_happens(phase: str) -> None:
    listed = {cells[0]: cells[1:] for cells in rows("Forged in each phase of a rotation")}
    assert listed.keys() == FORGERIES.keys()
    column = PHASES.index(phase)
    computed = {name: outcome(phase, forge) for name, forge in FORGERIES.items()}
    assert {name: cells[column] for name, cells in listed.items()} == computed


def without(story: Story) -> list[str]:
    """The forgeries that the page lists as making no difference in any phase."""
    after = text_of(story.section).split(WITHOUT, 1)[1]
    return [line.removeprefix("- ") for line in after.splitlines() if line.startswith("- ")]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.section)
def test_the_page_has_every_forgery_of_a_state_machine_once(story: Story) -> None:
    listed = [cells[0] for cells in rows(story.section)] + without(story)
    assert sorted(listed) == sorted(story.forgeries)
    for cells in rows(story.section):
        assert len(cells) == len(story.phases) + 1, cells
        assert set(cells[1:]) != {NOTHING}, cells


@pytest.mark.parametrize(
    ("story", "phase"),
    [pytest.param(story, phase, id=f"{story.section}-{phase}") for story in STORIES for phase in story.phases],
)
def test_the_tables_of_the_other_state_machines_are_what_happens(story: Story, phase: str) -> None:
    column = 1 + list(story.phases).index(phase)
    listed = {cells[0]: cells[column] for cells in rows(story.section)} | dict.fromkeys(without(story), NOTHING)
    assert outcomes(story, phase) == listed
