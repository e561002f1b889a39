"""Commands and queries of the operator, whoever brings them."""
