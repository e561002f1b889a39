"""The infrastructure: settings, exchange, journal, logs. Imports the domain, never the actors."""
