"""Pictures of architectures, drawn with Matplotlib alone: no window, no system package."""
