"""How an observation is judged: findings, drift, proof of keys. Pure."""
