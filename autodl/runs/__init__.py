"""A run on disk: its folder, its store of trials, its event log."""
