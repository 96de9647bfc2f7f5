"""Networks compared by optimal transport, and the search that does so: NASBOT."""
