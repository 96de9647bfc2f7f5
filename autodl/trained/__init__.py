"""Networks that were trained, as a folder holds them, and what is known of them."""
