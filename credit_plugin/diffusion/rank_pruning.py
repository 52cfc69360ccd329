"""Pruning adapters: rank components of all layers compete, and the least important go.

Component i of a layer is the i-th row of A with the i-th column of B; it costs as many parameters
as the layer has inputs and outputs. Components are kept in the order of their importance as long as
the share of parameters allows; one that no longer fits is passed over for a smaller one, so that
less is left unused than the smallest component costs.

Importance is the Frobenius norm |a_i| |b_i| of the component (magnitude; Lu et al. 2025 rank pairs
globally by magnitude), which no rescaling of A against B changes; or the first-order change of the
loss if the component went, |<grad a_i, a_i>| = |<grad b_i, b_i>|, averaged over batches; or random.

The history is a list of (layer, indices of the components that stayed).
"""

from collections.abc import Callable

import numpy as np
import torch

from credit_plugin.diffusion.adapters import Adapted
from credit_plugin.diffusion.examples import Examples
from credit_plugin.diffusion.pruning import History
from credit_plugin.diffusion.training import Objective

BATCHES, BATCH_SIZE = 16, 8


def prune_ranks(
    task: Objective, model: Adapted, method: str, ratio: float, examples: Examples, seed: int
) -> History:
    """Prune adapters in place and return what stayed.

    Args:
        task: Supplies the loss.
        model: Trained adapters.
        method: ``magnitude``, ``taylor`` or ``random``.
        ratio: Share of the adapters' parameters that goes, in (0, 1).
        examples: For methods that need gradients.
        seed: Seeds random importance, and the batches of Taylor importance.
    """
    importance = _IMPORTANCES[method](task, model, examples, seed)
    costs = {name: sum(model.shared.sizes[name]) for name in model.layers}
    names = np.repeat(np.arange(len(model.layers)), [len(importance[n]) for n in model.layers])
    scores = np.concatenate([importance[name] for name in model.layers])
    each = np.array([costs[name] for name in model.layers])[names]
    chosen = choose_components(scores, each, ratio)
    index = np.concatenate([np.arange(len(importance[name])) for name in model.layers])
    kept = {
        name: index[chosen & (names == position)].tolist()
        for position, name in enumerate(model.layers)
    }
    model.keep(kept)
    return [[name, rows] for name, rows in kept.items()]


def choose_components(scores: np.ndarray, costs: np.ndarray, ratio: float) -> np.ndarray:
    """Return which components stay, bool [k].

    Args:
        scores: Importance [k].
        costs: Parameters of each, int [k].
        ratio: Share of all parameters that must go.
    """
    left = int(np.floor((1 - ratio) * costs.sum() + 1e-6))
    chosen = np.zeros(len(scores), np.bool_)
    for component in np.argsort(-scores, kind="stable"):
        if costs[component] <= left:
            chosen[component] = True
            left -= int(costs[component])
    return chosen


def _magnitude(
    task: Objective, model: Adapted, examples: Examples, seed: int
) -> dict[str, np.ndarray]:
    return {
        name: (down.norm(dim=1) * up.norm(dim=0)).double().cpu().numpy()
        for name, down, up in model.components()
    }


def _taylor(
    task: Objective, model: Adapted, examples: Examples, seed: int
) -> dict[str, np.ndarray]:
    device = next(model.parameters()).device
    generator, examples = torch.Generator(device).manual_seed(seed), examples.to(device)
    for _ in range(BATCHES):
        rows = torch.randint(len(examples), (BATCH_SIZE,), generator=generator, device=device)
        task.loss(model, examples[rows], generator).backward()
    found = {}
    for name, (_, up) in model.matrices().items():
        assert up.grad is not None  # the loss was differentiated
        found[name] = (up.grad * up).sum(0).abs().detach().double().cpu().numpy()
    model.zero_grad(set_to_none=True)
    return found


def _random(
    task: Objective, model: Adapted, examples: Examples, seed: int
) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {name: generator.random(len(down)) for name, down, _ in model.components()}


_IMPORTANCES: dict[str, Callable[[Objective, Adapted, Examples, int], dict[str, np.ndarray]]] = {
    "magnitude": _magnitude,
    "random": _random,
    "taylor": _taylor,
}
