"""Every strategy by name: options model, and dotted path of its factory."""

from autodl.config.components import Entry

STRATEGIES = {
    "Ablr": Entry("autodl.agents.options:AblrOptions", "autodl.agents.surrogates.ablr:ablr"),
    "AdditiveThompson": Entry(
        "autodl.strategies.options:AdditiveThompsonOptions",
        "autodl.strategies.surrogate.additive:additive_thompson",
    ),
    "AgingEvolution": Entry(
        "autodl.strategies.options:AgingEvolutionOptions", "autodl.strategies.evolution:Evolution"
    ),
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
    "LatentFactors": Entry(
        "autodl.strategies.options:LatentFactorsOptions",
        "autodl.strategies.surrogate.history.task_factors:latent_factors",
    ),
    "LocalSearch": Entry(
        "autodl.config.sections:NoOptions", "autodl.strategies.local_search:LocalSearch"
    ),
    "MetaBO": Entry(
        "autodl.strategies.options:MetaBOOptions",
        "autodl.strategies.surrogate.history.meta_prior:meta_bo",
    ),
    "ModelBasedAgent": Entry(
        "autodl.agents.options:ModelBasedOptions",
        "autodl.agents.model_based_agent:ModelBasedAgent",
    ),
    "Nao": Entry("autodl.agents.options:NaoOptions", "autodl.agents.nao:Nao"),
    "Nasbot": Entry(
        "autodl.strategies.options:NasbotOptions",
        "autodl.strategies.surrogate.transport.nasbot:nasbot",
    ),
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
