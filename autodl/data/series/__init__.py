"""Series of numbers: read from tables and archives, checked, normalised."""
