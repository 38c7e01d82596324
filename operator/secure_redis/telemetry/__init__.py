"""Logs, metrics, audit records and health of the operator. They contain no secrets."""
