"""Commands, replies and notifications: what passes between the operator and the system."""
