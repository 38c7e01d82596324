"""secure-redis-operator: makes Redis on Azure provably safe for the applications that use it."""
