"""Every fidelity rule by name: options model, and dotted path of its factory."""

from autodl.config.components import Entry

RULES = {
    "AsynchronousSuccessiveHalving": Entry(
        "autodl.search.fidelity.options:HalvingOptions",
        "autodl.search.fidelity.halving:AsynchronousSuccessiveHalving",
    ),
    "MedianRule": Entry(
        "autodl.search.fidelity.options:MedianOptions",
        "autodl.search.fidelity.median:MedianRule",
    ),
}
