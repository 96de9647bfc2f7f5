"""Importing what the original released."""
