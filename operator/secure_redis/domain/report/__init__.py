"""What a pass reports: status, conditions and events. Pure."""
