"""Strategies that learn what architectures are worth, and choose by what they have learned."""
