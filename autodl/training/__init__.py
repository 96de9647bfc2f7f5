"""One fit of one network: the loop, its schedules, early stopping, checkpoints."""

from autodl.system.packages import require_paddle

require_paddle()
