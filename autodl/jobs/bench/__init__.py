"""Measuring speed: one file a subject."""
