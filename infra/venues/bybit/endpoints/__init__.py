"""What can be asked of the venue, by what it is about."""
