"""Channel numbers of a network: the architecture, its space, its plan, its costs."""
