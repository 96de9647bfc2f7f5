"""A network that holds the layers of all architectures of a space; one path of it at a time."""
