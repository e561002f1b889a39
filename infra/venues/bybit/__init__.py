"""Bybit V5, through pybit and websocket-client."""
