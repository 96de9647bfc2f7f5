"""A Bayesian mixture over a layer's weights and its coordinate ascent."""
