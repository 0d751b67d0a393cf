"""A release: what answers a customer, by digest; pure."""
