"""Key Vault: secrets, their versions, and encryption keys."""
