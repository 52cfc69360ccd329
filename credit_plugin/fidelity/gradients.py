"""Projected gradients of the full model, one for each image: what all gradient methods look at.

What: for an image x, phi(x) = R grad_theta f(x, theta), float64 [k], where R is a seeded random
projection to k = ``fidelity.projection`` dimensions (:mod:`credit_plugin.fidelity.projection`),
theta the weights of the full model and f the mean over ``fidelity.timesteps`` noise levels, in the
middle of equal parts of the noise schedule, of one of two functions of the network's prediction:

* ``loss``: the training loss of x.
* ``square``: the squared Euclidean norm of the prediction, whatever the target (D-TRAK).

For the journey, f is the loss at states of the sampling of a generated image instead: at a
sampler step with timestep t, the clean image that the network sees in the state is noised to level
t again (Georgiev et al. 2023). The mean is over ``fidelity.timesteps`` steps of the sampler.

Noise comes from a generator of (study seed, content of the image), so a gradient depends on
nothing but its image: not on its place, on the other images, or on how many are computed at once.

Cost: a forward and a backward pass for each image and noise level, so time is proportional
to ``timesteps`` x (images + generated), once for the loss, once for the square, plus ``timesteps``
x generated for the journey; it is nearly all the time of the gradient methods. Memory is that of
``CHUNK_BYTES`` of gradients, or of one gradient if it is larger, besides the projection. The
dimensions cost little until 16 k^2 is large.

Bias: a few noise levels stand for the expectation over all, with one draw of noise each.

Source: per-sample gradients by vectorised differentiation (torch.func); gradients projected at
random as features, Park et al. 2023 (TRAK).
"""

import hashlib
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from credit_plugin.diffusion.examples import Examples
from credit_plugin.diffusion.tasks import DiffusionTask
from credit_plugin.fidelity.projection import Projection, parameter_sizes
from credit_plugin.seeding import numpy_generator

if TYPE_CHECKING:
    from credit_plugin.fidelity.evidence import Evidence

CHUNK_BYTES = 2**26

Output = Callable[[Tensor, Tensor], Tensor]
"""From predictions and targets [t, ...] of one image to the scalar that is differentiated."""


def square(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the squared norm of the prediction, the mean over noise levels."""
    return prediction.square().flatten(1).sum(1).mean()


class GradientFeatures:
    """Projected gradients at the images of :class:`~credit_plugin.fidelity.evidence.Evidence`.

    Args:
        evidence: Images, models and settings.
        chunk: Images whose gradients are held at once; by default what fits ``CHUNK_BYTES``.

    Every feature raises FloatingPointError if a gradient is not finite.
    """

    def __init__(self, evidence: "Evidence", chunk: int | None = None) -> None:
        self.evidence, self.settings = evidence, evidence.settings
        self.task, self.model = evidence.bench.task, evidence.bench.full.model.eval()
        sizes = parameter_sizes(_trained(self.model))
        self.chunk = chunk or max(1, CHUNK_BYTES // (4 * sum(sizes.values())))
        self.project = Projection(
            sizes, self.settings.projection, evidence.study.seed, evidence.bench.device
        )

    @cached_property
    def training(self) -> np.ndarray:
        """Loss at the training images, [m, k]."""
        return self._renoised(functional.mse_loss, self.evidence.examples, self._training_noise)

    @cached_property
    def generated(self) -> np.ndarray:
        """Loss at the generated images, [g, k]."""
        examples = self.evidence.generated_examples
        return self._renoised(functional.mse_loss, examples, self._generated_noise)

    @cached_property
    def training_square(self) -> np.ndarray:
        """Squared norm of the prediction at the training images, [m, k]."""
        return self._renoised(square, self.evidence.examples, self._training_noise)

    @cached_property
    def generated_square(self) -> np.ndarray:
        """Squared norm of the prediction at the generated images, [g, k]."""
        return self._renoised(square, self.evidence.generated_examples, self._generated_noise)

    @cached_property
    def journey(self) -> np.ndarray:
        """Loss along the sampling of the generated images, [g, k]."""
        levels, clean = self._states()
        examples = self.evidence.generated_examples.replaced(clean)
        return self._features(functional.mse_loss, examples, self._generated_noise, levels)

    def _renoised(self, output: Output, examples: Examples, noise: Tensor) -> np.ndarray:
        levels = _middles(self.task.total_levels, self.settings.timesteps)
        clean = examples.clean[:, None].expand(-1, len(levels), *examples.clean.shape[1:])
        return self._features(output, examples.replaced(clean), noise, levels)

    def _features(
        self, output: Output, examples: Examples, noise: Tensor, chosen: list[int]
    ) -> np.ndarray:
        """Return features [m, k]; ``examples.clean`` is [m, t, ...], one for each level."""
        levels = torch.tensor(chosen, device=noise.device)
        noise = noise[:, : len(levels)]  # the settings may ask for more levels than there are
        features = []
        for start in range(0, len(examples), self.chunk):
            part = slice(start, start + self.chunk)
            gradients = per_sample_gradients(
                self.task, self.model, output, examples[part], noise[part], levels
            )
            features.append(self.project(gradients))
        found = torch.cat(features).cpu().double().numpy()
        if not np.isfinite(found).all():
            raise FloatingPointError(
                "gradients of the full model are not finite: lower the learning rate"
            )
        return found

    def _states(self) -> tuple[list[int], Tensor]:
        evidence, sampling = self.evidence, self.evidence.study.sampling
        device, condition = evidence.bench.device, evidence.generated_condition
        batches, levels = [], []
        for start in range(0, len(evidence.initial_noise), sampling.batch_size):
            part = slice(start, start + sampling.batch_size)
            noise = evidence.initial_noise[part].to(device)
            given = None if condition is None else condition[part].to(device)
            # a sampler of higher order makes more steps than it was asked for
            states = list(self.task.trajectory(self.model, noise, sampling, given))
            chosen = [states[i] for i in _middles(len(states), self.settings.timesteps)]
            levels = [level for level, _ in chosen]
            batches.append(torch.stack([clean for _, clean in chosen], 1))
        return levels, torch.cat(batches)

    @cached_property
    def _training_noise(self) -> Tensor:
        return self._noise(self.evidence.images, self.evidence.examples)

    @cached_property
    def _generated_noise(self) -> Tensor:
        return self._noise(self.evidence.generated, self.evidence.generated_examples)

    def _noise(self, images: np.ndarray, examples: Examples) -> Tensor:
        shape = (self.settings.timesteps, *examples.clean.shape[1:])
        draws = np.empty((len(images), *shape), np.float32)
        for image, draw in zip(images, draws, strict=True):
            key = hashlib.sha256(image.tobytes()).hexdigest()
            generator = numpy_generator(self.evidence.study.seed, key, "noise of gradients")
            draw[:] = generator.standard_normal(shape, np.float32)
        return torch.from_numpy(draws).to(examples.clean.device)


def per_sample_gradients(
    task: DiffusionTask,
    model: nn.Module,
    output: Output,
    examples: Examples,
    noise: Tensor,
    levels: Tensor,
) -> dict[str, Tensor]:
    """Return the gradient of ``output`` for each image, [n, ...] for each trained parameter.

    Args:
        task: What the prediction and its target are.
        model: The network.
        output: Function of predictions and targets.
        examples: Of n images; ``clean`` is [n, t, ...], one for each noise level.
        noise: Noise like ``clean``.
        levels: Noise levels int64 [t], the same for all images.
    """

    def value(
        parameters: dict[str, Tensor], clean: Tensor, noise: Tensor, condition: Tensor | None
    ) -> Tensor:
        def call(*inputs: Tensor, **options: Any) -> Any:
            return functional_call(model, parameters, inputs, options)

        each = None if condition is None else condition.expand(len(levels))
        return output(*task.predict(call, Examples(clean, each), noise, levels))

    conditions = None if examples.condition is None else 0

    # the faster kernels of attention are not vectorised over samples
    with sdpa_kernel(SDPBackend.MATH):
        found: dict[str, Tensor] = vmap(grad(value), in_dims=(None, 0, 0, conditions))(
            _trained(model), examples.clean, noise, examples.condition
        )
    return found


def _trained(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}


def _middles(total: int, parts: int) -> list[int]:
    """Return the middle of each of equal parts of 0 .. total - 1, ascending, without repeats."""
    return np.unique(((np.arange(parts) + 0.5) * total / parts).astype(int)).tolist()
