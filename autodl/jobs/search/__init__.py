"""A search: its parts from a configuration, and its run."""
