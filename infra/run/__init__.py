"""A run before it trades: its directory, the journal in it, and the wait for the exchange."""
