"""Senders of notices. Each tries once; who tries again, and when, is `app.notify`."""
