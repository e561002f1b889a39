"""Questions and orders over HTTP: what is asked, who answers, and what comes back."""
