"""The simulated Azure Resource Manager."""
