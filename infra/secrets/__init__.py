"""What is kept secret on the disk: keys, and what is sealed under them."""
