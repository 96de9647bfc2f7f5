"""One network that holds all candidates: width search by affine parameter sharing (APS).

Wang, Bai et al., "Revisiting Parameter Sharing for Automatic Neural Channel Number Search",
NeurIPS 2020.
"""
