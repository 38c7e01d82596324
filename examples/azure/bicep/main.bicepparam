using 'main.bicep'

param location = 'westeurope'
param namespace = 'shop'
param vaultName = 'shop-redis-4711'
param cacheName = 'orders-4711'
param cache = 'managed'
