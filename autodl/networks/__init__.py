"""Plans as Paddle networks."""

from autodl.system.packages import require_paddle

require_paddle()
