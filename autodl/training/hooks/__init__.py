"""What acts during a training beside the updates: one hook a file, by name in the catalogue."""
