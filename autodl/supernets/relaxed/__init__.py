"""A network with all operations of a space on every edge, and weights on these (DARTS)."""
