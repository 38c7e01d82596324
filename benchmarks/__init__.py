"""Figures about the operator's speed and size, measured against the sandbox. They report; nothing asserts on time."""
