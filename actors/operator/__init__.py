"""Commands and queries of the operator, from any channel."""
