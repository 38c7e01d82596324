"""The Azure simulator: Entra, ARM for Microsoft.Cache and Key Vault behind TLS.

It behaves as `docs/internals/assumptions.md` lists.
"""
