"""The journal in a database of PostgreSQL."""
