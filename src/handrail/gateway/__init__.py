"""Protocols, and nothing but protocols."""
