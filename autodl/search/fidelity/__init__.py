"""Which trials deserve more epochs: one rule a file."""
