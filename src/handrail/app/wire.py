"""The one place that builds backends."""
