"""A whole search from Python."""

from autodl.jobs.search.run import SearchResult, run_search

__all__ = ["SearchResult", "run_search"]
