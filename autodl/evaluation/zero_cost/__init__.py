"""Scores of networks that were not trained, one a file."""
