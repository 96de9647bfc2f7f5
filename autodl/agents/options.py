"""Options of the agent, apart from it so that reading a config needs no framework."""

from __future__ import annotations

from pydantic import Field

from autodl.config.reading import Section


class AgentOptions(Section):
    """``Strategy`` section of a search by the LSTM agent."""

    batch_size: int = Field(10, ge=1, description="architectures per policy update")
    hidden: int = Field(64, ge=1, description="width of the LSTM")
    layers: int = Field(2, ge=1, description="stacked LSTM layers")
    learning_rate: float = Field(1e-3, gt=0, description="of Adam")
    entropy_weight: float = Field(0.0, ge=0, description="bonus for an undecided policy")
    baseline_decay: float = Field(0.9, ge=0, lt=1, description="of the mean-reward average")
    advantage_power: float = Field(1.0, gt=0, description="3 is the original's cube")
    temperature: float = Field(5.0, gt=0, description="logits = squash tanh(z / temperature)")
    squash: float = Field(2.5, gt=0, description="largest size of a logit")
