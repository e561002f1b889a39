"""The process itself: locks, signals, logs, service manager, watchdog."""
