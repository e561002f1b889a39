"""Makes the process and its database fail on purpose, so that recovery can be watched at work."""
