"""Random forest regression: trees on bootstrap samples, with random features at every split.

Source: Breiman, Random forests, Machine Learning, 2001; as a surrogate, with the mean and the
deviation over trees: Hutter, Hoos, Leyton-Brown, SMAC, LION 2011.
"""

from __future__ import annotations

import numpy as np

from autodl.strategies.surrogate.surrogate import Reals
from autodl.strategies.surrogate.trees.ensemble import Predict
from autodl.system.packages import require

_TREES = 50
_FEATURES = 5 / 6  # looked at for each split, as in SMAC


def forest(features: Reals, rewards: Reals) -> Predict:
    """Trees that have learned from rows, float64 ``[n, F]`` and ``[n]``.

    Raises:
        MissingPackageError: scikit-learn is not installed.
    """
    require("sklearn")
    from sklearn import config_context  # takes a second to import
    from sklearn.tree import DecisionTreeRegressor

    rng = np.random.default_rng(0)
    inputs = features.astype(np.float32)  # what trees compare in scikit-learn
    trees = []
    # For few rows, checking takes a third of the time, and RandomForestRegressor twice as long.
    with config_context(skip_parameter_validation=True, assume_finite=True):
        for number in range(_TREES):
            drawn = rng.integers(len(rewards), size=len(rewards))
            tree = DecisionTreeRegressor(max_features=_FEATURES, random_state=number)
            trees.append(tree.fit(inputs[drawn], rewards[drawn], check_input=False))

    def predict(asked: Reals) -> Reals:
        plain = asked.astype(np.float32)
        return np.stack([tree.predict(plain, check_input=False) for tree in trees])

    return predict
