"""A layer of classes on fixed features: multinomial logistic regression.

p(y | f) = softmax(W f + b), fitted by penalised maximum likelihood: every feature is standardised
over the images that it is fitted to, and the squared norm of the weights is penalised with
strength 1 / C (scikit-learn's LogisticRegression, L-BFGS from zero, so nothing is drawn). The
standardisation is then folded into W [k, d] and b [k]. Classes are those that occur, ascending.

With more features than images a fit without penalty separates the classes perfectly and is sure of
everything. C = ``PENALTY`` is, among powers of ten, where 160 images left out are most likely when
the head is fitted to 800 photographs of 20 classes of mammals (32 pixels): 1.20 nats each, against
2.28 at 1e-4 and 1.50 at 1, while the accuracy is 64 to 68 % (``tests/benchmarks/inception.py``).
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file
from scipy.special import softmax

from credit_plugin.errors import InputError

PENALTY = 1e-2
ITERATIONS = 1000


@dataclass(frozen=True, eq=False)
class SoftmaxHead:
    """Class probabilities from features.

    Attributes:
        weight: float32 [k, d].
        bias: float32 [k].
        classes: int64 [k], the label of each row.
    """

    weight: np.ndarray
    bias: np.ndarray
    classes: np.ndarray

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return float32 [N, k], rows sum to 1, of features [N, d]."""
        return softmax(features @ self.weight.T + self.bias, axis=1)

    def accuracy(self, features: np.ndarray, labels: np.ndarray) -> float:
        """Return the share of images whose class is the most probable one."""
        predicted = self.classes[self.probabilities(features).argmax(1)]
        return float((predicted == labels).mean())


def fit_head(features: np.ndarray, labels: np.ndarray, penalty: float = PENALTY) -> SoftmaxHead:
    """Fit a head to features of at least two classes.

    Args:
        features: float [N, d] of real images.
        labels: int [N], their classes.
        penalty: C of the penalty, the larger the weaker.

    Raises:
        InputError: If all labels are equal.
    """
    from sklearn.linear_model import LogisticRegression  # slow to import; workers only load heads

    classes = np.unique(labels)
    if len(classes) < 2:
        raise InputError(
            "properties.observer: inception needs images of at least two classes; name labels in "
            "the data, or use observer classifier"
        )
    doubles = features.astype(np.float64)
    centre, spread = doubles.mean(0), doubles.std(0)
    spread[spread == 0] = 1.0  # a feature that never changes says nothing
    model = LogisticRegression(C=penalty, max_iter=ITERATIONS).fit(
        (doubles - centre) / spread, labels
    )
    weight, bias = model.coef_, model.intercept_
    if len(classes) == 2:  # scikit-learn gives the difference of the two rows
        weight, bias = np.vstack([0 * weight, weight]), np.append(0, bias)
    weight = weight / spread
    bias = bias - weight @ centre
    return SoftmaxHead(weight.astype(np.float32), bias.astype(np.float32), classes)


def save_head(head: SoftmaxHead, path: Path, network: str) -> None:
    """Write a head to a safetensors file, with the hash of the network that made its features."""
    arrays = {"weight": head.weight, "bias": head.bias, "classes": head.classes}
    # safetensors writes memory as it lies, and scikit-learn's coefficients lie column by column
    arrays = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
    save_file(arrays, path, metadata={"head": json.dumps({"network": network})})


def load_head(path: Path, network: str) -> SoftmaxHead:
    """Read what :func:`save_head` wrote.

    Raises:
        InputError: If the head was fitted to the features of another network.
    """
    with safe_open(path, "np") as file:
        fitted_to = json.loads(file.metadata()["head"])["network"]
        arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
    if fitted_to != network:
        raise InputError(
            f"properties.observers.inception.path: {path} was fitted to another network (SHA-256 "
            f"{fitted_to[:12]}...); remove its folder and run the study again"
        )
    return SoftmaxHead(**arrays)
