"""Option sections of the parts that need Paddle, so that checking a config does not."""
