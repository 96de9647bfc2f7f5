"""A search for channel numbers."""
