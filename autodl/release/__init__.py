"""Released networks: found by this project, trained, and ready in two lines.

    from autodl.release import Ensemble, load, names
    network = load(names()[0])
    print(network.predict("cat.png").top(3))

Nothing is downloaded: the weights ship with the package. Paddle is imported when a network is
loaded.
"""

from autodl.release.ensemble import Ensemble as Ensemble
from autodl.release.network import ReleasedNetwork as ReleasedNetwork
from autodl.release.network import from_training as from_training
from autodl.release.network import load as load
from autodl.release.network import names as names
from autodl.release.prediction import Prediction as Prediction
