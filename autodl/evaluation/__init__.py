"""From an architecture to its reward."""

from autodl.packages import require_paddle

require_paddle()
