"""All traffic of an exchange, written to a file and played back from it."""
