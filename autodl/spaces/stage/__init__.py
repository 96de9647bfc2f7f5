"""Networks of stages with their training: what hand-made networks for CIFAR are points of."""
