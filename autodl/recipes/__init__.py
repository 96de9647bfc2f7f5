"""How one network is trained, as values: options, schedules, stopping."""
