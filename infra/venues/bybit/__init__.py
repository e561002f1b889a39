"""Bybit V5 by pybit and websocket-client."""
