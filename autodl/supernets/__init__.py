"""Networks that hold a whole space: one folder a method."""
