"""What the operator tells about itself: logs, metrics, audit records, health. Never anything secret."""
