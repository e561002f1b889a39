"""What `bin/setup` asks and writes: a settings file and `.env`."""
