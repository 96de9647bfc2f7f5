"""Compressing a trained network."""
