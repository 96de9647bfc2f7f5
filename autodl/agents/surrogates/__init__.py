"""Surrogates that are networks of Paddle's."""
