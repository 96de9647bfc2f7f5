"""The machine: files whole or not at all, state as bytes, what ships, archives, consoles."""
