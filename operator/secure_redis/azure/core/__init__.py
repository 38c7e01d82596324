"""The common parts of all Azure clients: clouds, credentials, transport, rate limits and errors."""
