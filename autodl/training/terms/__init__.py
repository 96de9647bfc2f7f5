"""Terms of the loss beside the goal's own: one a file, by name in the catalogue of recipes."""
