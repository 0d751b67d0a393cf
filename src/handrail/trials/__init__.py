"""Tests that belong to a release, by HTTP (arrives with releases)."""
