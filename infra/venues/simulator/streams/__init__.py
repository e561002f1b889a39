"""Messages over WebSockets: subscriptions, contents and delivery."""
