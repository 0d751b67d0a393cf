"""All pages: the files of `pages`, each with its `ROUTES` and, where it has any, its `KEYS`."""

import importlib
import pkgutil
from functools import cache
from types import ModuleType

from handrail.console import pages
from handrail.console.keys import Key
from handrail.console.routes import Route


@cache
def _files() -> tuple[ModuleType, ...]:
    names = sorted(each.name for each in pkgutil.iter_modules(pages.__path__))
    return tuple(importlib.import_module(f"handrail.console.pages.{name}") for name in names)


def routes() -> tuple[Route, ...]:
    """Of every page, by the names of the files."""
    return tuple(row for file in _files() for row in getattr(file, "ROUTES", ()))


def keys() -> tuple[Key, ...]:
    """Of every page, without those that work everywhere."""
    return tuple(key for file in _files() for key in getattr(file, "KEYS", ()))
