"""Deployment from Python."""

from autodl.jobs.export import export_network

__all__ = ["export_network"]
