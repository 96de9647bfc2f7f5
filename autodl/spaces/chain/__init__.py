"""Chains of blocks, one of a few in every place (NAS-Bench-Macro)."""
