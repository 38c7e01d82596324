"""The client of Microsoft.Cache/redisEnterprise and the conversion of its answers."""
