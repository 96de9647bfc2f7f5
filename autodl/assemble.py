"""From a checked configuration to the parts of a search, by the name that plugins use."""

from autodl.config.components import register
from autodl.search.config import SearchConfig, load_search, resolve_search

__all__ = ["SearchConfig", "load_search", "register", "resolve_search"]
