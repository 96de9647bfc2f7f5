"""Configurations: YAML with inheritance, checked sections, components by name, plugins."""

from autodl.config.sections import Section

__all__ = ["Section"]
