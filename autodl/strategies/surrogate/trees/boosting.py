"""Gradient boosting: sums of small trees, each fitted to what those before it have left.

One sum has no doubt. So there is a bag of them, each of a bootstrap sample of the rows.

Source: Friedman, Greedy function approximation: a gradient boosting machine, Annals of Statistics,
2001; bags: Breiman, Bagging predictors, Machine Learning, 1996.
"""

from __future__ import annotations

import numpy as np

from autodl.strategies.surrogate.surrogate import Reals
from autodl.strategies.surrogate.trees.ensemble import Predict
from autodl.system.packages import require

_BAG = 8
_TREES = 40
_DEPTH = 3
_RATE = 0.25


def boosting(features: Reals, rewards: Reals) -> Predict:
    """A bag of boosted trees that have learned from rows, float64 ``[n, F]`` and ``[n]``.

    Raises:
        MissingPackageError: scikit-learn is not installed.
    """
    require("sklearn")
    from sklearn import config_context
    from sklearn.ensemble import GradientBoostingRegressor  # takes a second to import

    rng = np.random.default_rng(0)
    bag = []
    with config_context(skip_parameter_validation=True):  # of every tree: half of the time
        for number in range(_BAG):
            drawn = rng.integers(len(rewards), size=len(rewards))
            model = GradientBoostingRegressor(
                n_estimators=_TREES, max_depth=_DEPTH, learning_rate=_RATE, random_state=number
            )
            bag.append(model.fit(features[drawn], rewards[drawn]))

    def predict(asked: Reals) -> Reals:
        return np.stack([model.predict(asked) for model in bag])

    return predict
