"""What is learned: examples, their shapes and the metric that says how well."""
