"""Where trials are evaluated: this process, worker processes, a Ray cluster."""
