"""Few bits a weight: methods that choose levels, and how they are packed."""
