"""EAT-NAS' mobile networks: the architecture, its space, its plan and their options."""
