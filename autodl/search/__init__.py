"""The experiment: asking, evaluating, storing, telling, and being watched."""
