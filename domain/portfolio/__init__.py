"""What all assets share: limits, protection, approvals."""
