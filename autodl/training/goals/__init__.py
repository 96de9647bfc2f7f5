"""What is made smaller, and how well it went: one kind of task a file, by name in ``goal.py``."""
