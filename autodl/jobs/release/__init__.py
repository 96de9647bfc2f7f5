"""Publishing trained networks and ensembles."""
