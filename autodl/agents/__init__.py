"""Strategies that learn with Paddle, cut as PARL cuts them: Model, Algorithm, Agent."""
