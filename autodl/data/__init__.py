"""Pictures in, batches out: data sets, splits and whole-batch augmentation (NumPy and Pillow).

``load.py`` is the door: ``load_split(DataOptions())`` gives what a search trains on. Nothing
here imports Paddle and nothing downloads.
"""
