"""The custom Azure roles: their form, what the page says of each action, and what the operator's messages name."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import roles
from secure_redis.azure.core import roles as named
from secure_redis.domain.assess.rules import RULES
from secure_redis.domain.grants import Power

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/azure-roles.md").read_text()
KEYS = ["Name", "IsCustom", "Description", "Actions", "NotActions", "DataActions", "NotDataActions", "AssignableScopes"]
SUBSCRIPTION = re.compile(r"/subscriptions/[^/]+")
ROW = re.compile(r"^\| `([^`]+)`( \(data\))? \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def written(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((roles.DIRECTORY / f"{name}.json").read_text())
    return found


def section(name: str) -> str:
    title = written(name)["Name"].removeprefix("Secure Redis ")
    (found,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_there_is_one_role_for_each_power_and_one_for_the_subscription() -> None:
    assert {path.stem for path in roles.DIRECTORY.iterdir()} == set(roles.NAMES)
    titles = [f"Secure Redis {power}" for power in Power]
    assert [roles.role(roles.file_of(power)).name for power in Power] == titles
    assert roles.role(roles.SUBSCRIPTION).name == "Secure Redis Subscription"


@pytest.mark.parametrize("name", roles.NAMES)
def test_the_form_is_the_one_that_az_takes_and_nothing_is_wide(name: str) -> None:
    role = written(name)
    assert list(role) == KEYS
    assert role["IsCustom"] is True
    assert role["NotActions"] == role["NotDataActions"] == []
    assert "*" not in str(role)
    for kind in ("Actions", "DataActions"):
        assert role[kind] == sorted(set(role[kind]), key=str.lower)
    example = yaml.safe_load((ROOT / "examples/validate-minimal.yaml").read_text())["spec"]["resourceID"]
    found = SUBSCRIPTION.match(example)
    assert found is not None
    assert role["AssignableScopes"] == [found.group()]


@pytest.mark.parametrize("name", roles.NAMES)
def test_the_page_explains_each_action(name: str) -> None:
    rows = ROW.findall(section(name))
    role = written(name)
    assert [action for action, data, *_ in rows if not data] == role["Actions"]
    assert [action for action, data, *_ in rows if data] == role["DataActions"]
    assert all(cell.strip() for row in rows for cell in row[2:])


def test_what_a_rule_takes_is_in_the_roles_that_read() -> None:
    reading = (Power.OBSERVE, Power.PUBLISH_KEY)
    given = {*roles.actions(*reading), *roles.data_actions(*reading), *roles.role(roles.SUBSCRIPTION).actions}
    needed = {one for rule in RULES for one in rule.needs if one.startswith("Microsoft.")}
    assert needed - given == set()


def test_the_tutorial_replaces_the_subscription_that_the_files_name() -> None:
    tutorial = (ROOT / "docs/tutorial-azure.md").read_text()
    found = re.findall(r'\(sed "s/([^/]+)/\$SUBSCRIPTION/" examples/azure/roles/([a-z-]+)\.json\)', tutorial)
    assert [name for _, name in found] == ["observe", "publish-key"]
    for replaced, name in found:
        assert written(name)["AssignableScopes"] == [f"/subscriptions/{replaced}"]
        assert f'--role "{written(name)["Name"]}"' in tutorial


def test_messages_name_the_roles_that_contain_an_action() -> None:
    held: dict[str, list[str]] = {}
    for name in roles.NAMES:
        for action in (*written(name)["Actions"], *written(name)["DataActions"]):
            held.setdefault(action.lower(), []).append(written(name)["Name"])
    assert {action: list(names) for action, names in named.ROLES.items()} == held
