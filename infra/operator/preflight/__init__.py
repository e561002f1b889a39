"""What `bin/check` looks at: the machine, the market and the account. Nothing is ever changed."""
