"""Training chosen architectures in full, and the one look at the test set."""
