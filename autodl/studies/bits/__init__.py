"""Compressions compared."""
