"""Jobs compared over seeds."""
