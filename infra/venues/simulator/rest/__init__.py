"""Queries and orders over HTTP: endpoints, parameters and answers."""
