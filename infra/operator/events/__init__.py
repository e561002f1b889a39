"""Every stored fact as an event for other programs: on Redis Streams, and to a webhook."""
