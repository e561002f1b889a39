"""The outer wing: settings, exchange, journal, logs. Imports the domain only, never the actors."""
