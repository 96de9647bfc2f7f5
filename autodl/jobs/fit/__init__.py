"""From a folder of pictures to a deployed network, within so many minutes."""
