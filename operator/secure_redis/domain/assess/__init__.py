"""The assessment of an observation: findings, drift and the proof of keys. Pure."""
