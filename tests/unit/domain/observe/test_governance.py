"""The permissions of a role assignment."""

from secure_redis.domain.observe.governance import (
    LIST_KEYS,
    WRITE_BLOBS,
    RoleAssignmentFacts,
    RolePermissions,
    any_permits,
)


def role(*permissions: RolePermissions, conditional: bool = False) -> RoleAssignmentFacts:
    return RoleAssignmentFacts("/", "r", "p", permissions=permissions, conditional=conditional)


def test_wildcards_and_what_is_taken_away() -> None:
    assert role(RolePermissions(actions=("*",))).permits(LIST_KEYS) is True
    assert role(RolePermissions(actions=("*/read",))).permits(LIST_KEYS) is False
    assert role(RolePermissions(actions=("microsoft.cache/REDIS/*",))).permits(LIST_KEYS) is True
    taken = RolePermissions(actions=("*",), not_actions=("Microsoft.Cache/redis/listKeys/*",))
    assert role(taken).permits(LIST_KEYS) is False
    assert role(taken, RolePermissions(actions=(LIST_KEYS,))).permits(LIST_KEYS) is True


def test_actions_are_no_data_actions() -> None:
    assert role(RolePermissions(actions=("*",))).permits(WRITE_BLOBS, data=True) is False
    assert role(RolePermissions(data_actions=("*",))).permits(WRITE_BLOBS, data=True) is True
    assert role(RolePermissions(data_actions=("*",))).permits(WRITE_BLOBS) is False
    negated = RolePermissions(data_actions=("*",), not_data_actions=("*/write",))
    assert role(negated).permits(WRITE_BLOBS, data=True) is False


def test_an_undecidable_answer_is_not_no() -> None:
    unread = RoleAssignmentFacts("/", "r", "p")
    bound = role(RolePermissions(data_actions=("*",)), conditional=True)
    sure = role(RolePermissions(data_actions=("*",)))
    none = role(RolePermissions(), conditional=True)
    assert unread.permits(WRITE_BLOBS, data=True) is None
    assert bound.permits(WRITE_BLOBS, data=True) is None
    assert none.permits(WRITE_BLOBS, data=True) is False
    assert any_permits([], WRITE_BLOBS, data=True) is False
    assert any_permits([none], WRITE_BLOBS, data=True) is False
    assert any_permits([none, unread], WRITE_BLOBS, data=True) is None
    assert any_permits([unread, bound, sure], WRITE_BLOBS, data=True) is True
