"""What every Azure client shares: clouds, credentials, transport, rate limits and errors."""
