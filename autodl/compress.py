"""Compressed networks, by the name that people use."""

from autodl.compression.bits.packed_network import load_packed_weights

__all__ = ["load_packed_weights"]
