"""handrail: the safety net for AI in customer experience. `docs/map.md` shows where things live."""

VERSION = "0.1.0"
"""As in pyproject.toml. Asking the installed package for it loads two megabytes (importlib.metadata)."""
