"""The entries of the published Secret: the forms that clients load, and which of them a resource publishes."""
