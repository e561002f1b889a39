"""The way of one request to the venue, and of what comes back."""
