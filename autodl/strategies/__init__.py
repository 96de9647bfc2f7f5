"""What to try next, without a neural network."""
