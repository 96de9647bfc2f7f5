"""Every method of compression by name: options model, and dotted path of its factory."""

from autodl.config.components import Entry

METHODS = {
    "BayesianBits": Entry(
        "autodl.compression.bits.options:BayesianBitsOptions",
        "autodl.compression.bits.bayesian_bits:BayesianBits",
    ),
    "BitSearch": Entry(
        "autodl.compression.bits.options:BitSearchOptions",
        "autodl.compression.bits.bit_search:BitSearch",
    ),
    "FoundBits": Entry(
        "autodl.compression.bits.options:FoundBitsOptions",
        "autodl.compression.bits.found_bits:FoundBits",
    ),
    "UniformBits": Entry(
        "autodl.compression.bits.options:UniformBitsOptions",
        "autodl.compression.bits.uniform_bits:UniformBits",
    ),
}
