"""access ReadWrite: the operator stores the key of its cache in Key Vault, and then reads it like any other."""

from typing import Any

from sandbox.azure.seeds import seeds
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import SUBSCRIPTION, TENANT, VAULT_WRITE
from tests.integration.operator.support import Case, provision


def read_write(case: Case) -> dict[str, Any]:
    """The part `authentication` of the spec."""
    uri = case.control.endpoints.vault_url(case.team.name)
    return {"keyVault": {"uri": uri, "secretName": case.cache, "access": "ReadWrite"}}


def stored(case: Case) -> list[Any]:
    """The versions in the vault, oldest first."""
    return case.control.keyvault.secret_versions(case.team.name, case.cache)


def vault_writes(case: Case) -> list[str]:
    """The writes to the vault: kinds of effects."""
    return [kind for kind, _ in case.effects() if kind.startswith("secret.")]


def test_a_made_caches_key_is_stored_and_published(build: Case) -> None:
    build.apply(**provision(build, authentication=read_write(build)))
    build.until("Ready", "True")
    versions = stored(build)
    assert len(versions) == 1
    assert versions[0].value == build.keys["Primary"]
    assert versions[0].tags == {"CredentialId": "Primary", "ProviderAddress": build.team.cache_id(build.cache)}
    assert build.values()["password"] == build.keys["Primary"]
    assert build.status["credential"]["keyVaultVersion"] == versions[0].version
    build.poke()
    build.poke()
    assert vault_writes(build) == ["secret.set"]


def test_an_adopted_caches_key(build: Case) -> None:
    build.exists(properties={"publicNetworkAccess": "Enabled"})
    network = {"publicAccess": "Enabled"}
    build.apply(**provision(build, network=network, authentication=read_write(build)))
    message = build.until("CredentialsSynced", "False", "NotLeading")
    assert "adopt" in message
    assert vault_writes(build) == []
    build.annotate(adopt=build.cache)
    build.until("Ready", "True")
    assert vault_writes(build) == ["secret.set"]


def test_read_write_needs_ownership(build: Case) -> None:
    build.exists()
    build.apply(key=False, authentication=read_write(build))
    build.until("CredentialsSynced", "False", "NotLeading")
    build.until("Ready", "False", "NotLeading")
    build.poke()
    assert build.writes() == []


def test_a_foreign_vault_secret_is_not_written(build: Case) -> None:
    build.control.keyvault.set_secret(build.team.name, build.cache, "somebody's")
    build.apply(**provision(build, authentication=read_write(build)))
    message = build.until("CredentialsSynced", "False", "VaultSecretForeign")
    assert f"ProviderAddress={build.team.cache_id(build.cache)}" in message
    build.poke()
    assert [version.value for version in stored(build)] == ["somebody's"]
    assert build.secret() is None
    # Its owner says that it is this cache's: then it is kept current.
    build.change_secret(tags={"providerAddress": build.team.cache_id(build.cache).upper()})
    build.heal()
    assert stored(build)[-1].value == build.keys["Primary"]


def test_another_caches_vault_secret_is_not_written(build: Case) -> None:
    tags = {"ProviderAddress": build.team.cache_id("another"), "CredentialId": "Primary"}
    build.control.keyvault.set_secret(build.team.name, build.cache, seeds.SecretVersion(value="its key", tags=tags))
    build.apply(**provision(build, authentication=read_write(build)))
    build.until("CredentialsSynced", "False", "VaultSecretForeign")
    build.poke()
    assert [version.value for version in stored(build)] == ["its key"]


def test_a_regenerated_key_is_stored_again_in_its_slot(build: Case) -> None:
    build.apply(**provision(build, authentication=read_write(build)))
    build.until("Ready", "True")
    new = build.control.redis.regenerate(build.cache, "Primary")
    build.poke()
    wait_for(lambda: stored(build)[-1].value == new, PATIENCE, "the new key in the vault")
    wait_for(lambda: build.values()["password"] == new, PATIENCE, "the new key in the Secret")
    build.until("Ready", "True")
    assert [version.tags["CredentialId"] for version in stored(build)] == ["Primary", "Primary"]
    build.control.redis.regenerate(build.cache, "Secondary")  # no consumer holds that one
    build.poke()
    assert len(stored(build)) == 2


def test_a_wrong_value_is_stored(build: Case) -> None:
    """A version by hand without tags is foreign by then: it is not overwritten, and the good Secret stays."""
    build.apply(**provision(build, authentication=read_write(build)))
    build.until("Ready", "True")
    with build.untouched():
        build.control.keyvault.set_secret(build.team.name, build.cache, "wrong")
        build.poke()
        build.until("CredentialsSynced", "False", "VaultSecretForeign")
        build.poke()
    assert stored(build)[-1].value == "wrong"


def test_a_deleted_name_is_neither_recovered_nor_purged(build: Case) -> None:
    build.control.keyvault.set_secret(build.team.name, build.cache, "old")
    build.control.keyvault.delete_secret(build.team.name, build.cache)
    build.apply(**provision(build, authentication=read_write(build)))
    message = build.until("CredentialsSynced", "False", "VaultSecretDeleted")
    assert "recover" in message
    build.poke()
    assert vault_writes(build) == []
    assert build.secret() is None
    build.control.keyvault.delete(build.team.name)
    build.control.seed(_vault(build))
    build.heal()


def test_no_right_to_store(build: Case) -> None:
    build.control.access.unassign(build.team.object_id, build.team.vault_scope)
    build.apply(**provision(build, authentication=read_write(build)))
    build.heal("CacheAvailable", "True")
    build.until("Ready", "Unknown", "VaultForbidden")
    build.allow(scope=build.team.vault_scope, data=("Microsoft.KeyVault/vaults/secrets/*",))
    build.heal()
    assert vault_writes(build) == ["secret.set"]


def test_only_reading_is_allowed(build: Case) -> None:
    """The identity may only read the vault: the status says so, and the operator stores the key once it may."""
    build.control.access.unassign(build.team.object_id, build.team.vault_scope)
    reading = tuple(f"Microsoft.KeyVault/vaults/secrets/{name}/action" for name in ("getSecret", "readMetadata"))
    build.allow(scope=build.team.vault_scope, data=reading)
    build.apply(**provision(build, authentication=read_write(build)))
    message = build.until("CredentialsSynced", "False", "VaultForbidden")
    assert "give it" in message
    assert build.secret() is None
    build.allow(scope=build.team.vault_scope, data=VAULT_WRITE)
    build.heal()
    assert vault_writes(build) == ["secret.set"]


def test_a_lost_answer_of_the_vault(build: Case) -> None:
    """The key was stored and the answer lost: it is found again and not stored twice."""
    build.fault(service="vault", method="PUT", kind="reset", when="after", times=1)
    build.apply(**provision(build, authentication=read_write(build)))
    build.heal()
    assert len(stored(build)) == 1


def _vault(case: Case) -> seeds.Vault:
    return seeds.Vault(name=case.team.name, tenant=TENANT, subscription=SUBSCRIPTION, group=case.team.name)
