"""A random projection of gradients that keeps their inner products, for networks of any size.

What: R g of dimension k for a gradient g of dimension P (Johnson and Lindenstrauss 1984), where
E[<R g, R h>] = <g, h> for any two gradients. R = G F has two stages:

* F changes every sign at random, cuts the gradient into rows of ``width`` = 16 k numbers, rotates
  every row by a random offset and adds the rows up. Two numbers of different rows meet with
  probability 1 / width, numbers of one row never: a sparse embedding (Clarkson and Woodruff 2013)
  whose buckets are laid out for contiguous memory.
* G is a Gaussian matrix [k, width] with entries of variance 1 / k.

Error: the standard deviation of <R g, R h> is at most sqrt((1 / k + 1 / width) (|g|^2 |h|^2 +
<g, h>^2)) up to terms of order 1 / (k width), so F adds about 3 % to that of a dense Gaussian
matrix. If P <= width nothing meets and R is exactly a Gaussian one.

Cost: P multiplications a gradient instead of k P, and a matrix of 16 k^2 numbers (17 MB for k =
512) and P signs of one byte, instead of k P numbers. For a network of a million parameters that
is what makes projecting cheaper than computing the gradient.

Departure from TRAK, which uses a dense matrix: F, for that reason.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from credit_plugin.seeding import derive_seed, numpy_generator

ROWS_WIDTH = 16
"""Width of the first stage in multiples of the dimensions of the second."""


class Projection:
    """Projects gradients, given parameter by parameter, to ``dimensions`` numbers.

    Args:
        sizes: Numbers in each parameter, by name, in the order in which they are laid out.
        dimensions: k.
        seed: The study's seed.
        device: Where the gradients are.
    """

    def __init__(
        self, sizes: Mapping[str, int], dimensions: int, seed: int, device: str | torch.device
    ) -> None:
        total = sum(sizes.values())
        self.sizes, self.width = dict(sizes), min(ROWS_WIDTH * dimensions, total)
        rotations = numpy_generator(seed, "", "rotations of the gradient projection")
        self._rotation = rotations.integers(self.width, size=-(-total // self.width))
        self._signs = {name: _signs(size, seed, name).to(device) for name, size in sizes.items()}
        generator = _generator(seed, "", "gaussian of the gradient projection")
        gaussian = torch.randn(self.width, dimensions, generator=generator)
        self._gaussian = gaussian.div_(dimensions**0.5).to(device)

    def __call__(self, gradients: Mapping[str, Tensor]) -> Tensor:
        """Return float32 [n, k] of gradients [n, ...] by parameter."""
        first = next(iter(gradients.values()))
        sketch = first.new_zeros(len(first), self.width)
        offset = 0
        for name, size in self.sizes.items():
            self._fold(sketch, gradients[name].flatten(1), self._signs[name], offset)
            offset += size
        return sketch @ self._gaussian

    def _fold(self, sketch: Tensor, flat: Tensor, signs: Tensor, offset: int) -> None:
        signs, start, end = signs.to(flat), 0, flat.shape[1]
        while start < end:
            row, column = divmod(offset + start, self.width)
            target = (column + int(self._rotation[row])) % self.width
            # up to the end of the row, and not beyond the end of the sketch, where it wraps
            stop = min(end, start + self.width - max(column, target))
            piece = slice(start, stop)
            sketch[:, target : target + stop - start].addcmul_(flat[:, piece], signs[piece])
            start = stop


def _signs(size: int, seed: int, name: str) -> Tensor:
    generator = _generator(seed, name, "signs of the gradient projection")
    return torch.randint(0, 2, (size,), generator=generator, dtype=torch.int8).mul_(2).sub_(1)


def _generator(seed: int, key: str, purpose: str) -> torch.Generator:
    return torch.Generator().manual_seed(derive_seed(seed, key, purpose))


def parameter_sizes(parameters: Mapping[str, Tensor]) -> dict[str, int]:
    """Return how many numbers each parameter holds."""
    return {name: int(np.prod(parameter.shape)) for name, parameter in parameters.items()}
