"""`make demo`: the story of the operator, told while it happens on a real control plane with a simulated Azure."""
