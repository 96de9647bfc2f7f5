"""Plans as Paddle networks."""

from autodl.packages import require_paddle

require_paddle()
