"""Strategies that learn with Paddle, cut as PARL cuts them: Model, Algorithm, Agent."""

from autodl.system.packages import require_paddle

require_paddle()
