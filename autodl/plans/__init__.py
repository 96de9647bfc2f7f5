"""A network spelled out once, layer by layer: what builders, costs, latencies and drawings read."""
