"""A run as data, as text and as a page."""
