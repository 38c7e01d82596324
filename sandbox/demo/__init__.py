"""`make demo`: shows the operator at work on a real control plane with a simulated Azure."""
