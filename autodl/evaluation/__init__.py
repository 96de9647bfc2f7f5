"""From an architecture to its reward."""
