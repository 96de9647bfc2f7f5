"""Every strategy by name: options model, and dotted path of its factory."""

from autodl.config.components import Entry

STRATEGIES = {
    "AutoDLAgent": Entry(
        "autodl.agents.options:AgentOptions", "autodl.agents.autodl_agent:AutoDLAgent"
    ),
    "ElasticTransfer": Entry(
        "autodl.strategies.options:ElasticTransferOptions",
        "autodl.strategies.elastic_transfer:ElasticTransfer",
    ),
    "Evolution": Entry(
        "autodl.strategies.options:EvolutionOptions", "autodl.strategies.evolution:Evolution"
    ),
    "ExhaustiveSearch": Entry(
        "autodl.config.sections:NoOptions",
        "autodl.strategies.exhaustive_search:ExhaustiveSearch",
    ),
    "RandomSearch": Entry(
        "autodl.config.sections:NoOptions", "autodl.strategies.random_search:RandomSearch"
    ),
    "Surrogate": Entry(
        "autodl.strategies.options:SurrogateOptions",
        "autodl.strategies.surrogate.surrogate_search:SurrogateSearch",
    ),
}
