"""Cells with an operation on every edge (NAS-Bench-201)."""
