"""From an architecture to its reward."""

from autodl.system.packages import require_paddle

require_paddle()
