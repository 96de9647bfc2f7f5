"""Fewer bits for a network's weights: how many each layer needs, found in one training.

dirichlet     ``fit_mixture``: weights -> levels; points, sticks, gaussians, coordinate_ascent
              and alignment are its parts, of NumPy and SciPy alone
levels        numbers that weights are rounded to;  packing: their indices in a file
bayesian_bits, bit_search, uniform_bits   how the levels of all layers are chosen
straight_through, batch_norms             training with rounded weights
"""
