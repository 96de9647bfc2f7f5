"""Optimisers: one a file, by name in the catalogue of recipes."""
