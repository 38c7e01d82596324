"""The Azure simulator: Entra, ARM for Microsoft.Cache/redis and Key Vault behind TLS, held to `docs/assumptions.md`."""
