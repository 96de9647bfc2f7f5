"""Several goals at once: dominance, an order by Pareto rank, trade-offs, predicted latency."""
