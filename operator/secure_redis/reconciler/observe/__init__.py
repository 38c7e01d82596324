"""Reads Azure, Key Vault, Kubernetes and the endpoint into one Observation."""
