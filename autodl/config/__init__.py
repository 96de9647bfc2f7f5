"""Configurations: YAML with inheritance, checked sections, components by name, plugins."""

from autodl.config.reading import Section

__all__ = ["Section"]
