"""What a simulated world starts with."""
