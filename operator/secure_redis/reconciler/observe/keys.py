"""Reads the keys of a cache: the one that is published, and what a rotation needs of them."""

from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.observation import Observation
from secure_redis.reconciler.observe.credential import CredentialReader
from secure_redis.reconciler.observe.rotation import RotationReader
from secure_redis.reconciler.pass_state import PassState


class KeyReader:
    """Reads the credential first, because it decides what the rotation needs."""

    def __init__(self, credential: CredentialReader, rotation: RotationReader) -> None:
        self._credential = credential
        self._rotation = rotation

    async def read(
        self, resource: SecureRedisCache, observed: Observation, identity: Identity, pass_state: PassState
    ) -> Observation:
        """Add the credential and its proof, and what the next step of a rotation is decided by."""
        observed = await self._credential.read(resource, observed, identity, pass_state)
        return await self._rotation.read(resource, observed, identity, pass_state)
