"""Plans for the workloads: injection, waves and disruption budgets."""
