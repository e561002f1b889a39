"""What is told over WebSockets: to whom, in which words, and how clients ask for it."""
