"""The questions of `bin/setup`, and what it writes: a settings file and `.env`."""
