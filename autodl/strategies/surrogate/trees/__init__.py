"""Surrogates of trees: random forests and gradient boosting."""
