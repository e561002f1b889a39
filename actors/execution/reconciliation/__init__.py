"""What the exchange is asked, and what follows where its answers differ from the books."""
