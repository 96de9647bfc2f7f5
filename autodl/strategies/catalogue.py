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
    "ModelBasedAgent": Entry(
        "autodl.agents.options:ModelBasedOptions",
        "autodl.agents.model_based_agent:ModelBasedAgent",
    ),
    "Nao": Entry("autodl.agents.options:NaoOptions", "autodl.agents.nao:Nao"),
    "RandomSearch": Entry(
        "autodl.config.sections:NoOptions", "autodl.strategies.random_search:RandomSearch"
    ),
    "Surrogate": Entry(
        "autodl.strategies.options:SurrogateOptions",
        "autodl.strategies.surrogate.surrogate_search:SurrogateSearch",
    ),
    "TaskConditionedAgent": Entry(
        "autodl.agents.options:TaskConditionedOptions",
        "autodl.agents.task_conditioned:TaskConditionedAgent",
    ),
}
