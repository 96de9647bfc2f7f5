"""DARTS-like genotypes: the architecture, its plan and their options."""
