"""The live TLS and AUTH check of an endpoint."""
