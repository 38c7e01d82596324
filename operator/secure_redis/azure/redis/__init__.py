"""The client of Microsoft.Cache/redis and the conversion of its answers."""
