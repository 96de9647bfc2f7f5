"""Latency of networks, predicted from a table of layers that were measured once: no paddle."""
