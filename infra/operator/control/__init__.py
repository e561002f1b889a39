"""The control interface: commands over HTTP, on this machine."""
