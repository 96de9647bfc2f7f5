"""Training a network that holds a whole space."""
