"""Networks for series: the architecture, its space, its plan and their options."""
