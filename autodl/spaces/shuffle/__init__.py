"""Networks of ShuffleNetV2-like blocks, one of four in every place (SPOS)."""
