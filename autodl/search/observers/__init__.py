"""Who watches a search: progress lines, VisualDL."""
