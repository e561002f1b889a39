"""What the operator sees and uses: control API, notifications, health, reports, terminal."""
