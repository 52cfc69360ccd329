"""A small classifier trained on the study's own images, and kept with the study.

Two strided convolutions, a third one, global average pooling, a linear layer to 32 features and
one to the classes: the dataset's labels where it has them, its contributors otherwise. It needs no
download and judges samples of the study's own kind; its scores mean nothing outside the study.
Batches, initial weights and augmentation come from the study's seed.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from credit_plugin.config import ClassifierSettings
from credit_plugin.properties.registry import ImageSet

FEATURES = 32


class StudyClassifier(nn.Module):
    """Convolutional classifier of small images.

    Args:
        channels: Channels of the images.
        classes: Number of classes.
        width: Channels of the first layer.
    """

    def __init__(self, channels: int, classes: int, width: int) -> None:
        super().__init__()
        self.shape = {"channels": channels, "classes": classes, "width": width}
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.GroupNorm(4, 2 * width),
            nn.SiLU(),
            nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1),
            nn.GroupNorm(4, 4 * width),
            nn.SiLU(),
            nn.Flatten(),
            nn.LazyLinear(FEATURES),
            nn.SiLU(),
        )
        self.head = nn.Linear(FEATURES, classes)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return features [N, 32] and logits [N, k] of pixels [N, C, H, W] in [-1, 1]."""
        features = self.body(pixels)
        return features, self.head(features)

    @torch.inference_mode()
    def describe(
        self,
        images: np.ndarray,
        batch_size: int = 512,
        report: Callable[[int, int], None] | None = None,
    ) -> ImageSet:
        """Return images with their features and class probabilities.

        Args:
            images: uint8 [N, H, W, C].
            batch_size: Images at once.
            report: Called with (images done, images in all).
        """
        self.eval()
        device = self.head.weight.device
        features, probabilities = [], []
        for start in range(0, len(images), batch_size):
            batch = _to_pixels(images[start : start + batch_size]).to(device)
            feature, logits = self(batch)
            features.append(feature.cpu().numpy())
            probabilities.append(logits.softmax(1).cpu().numpy())
            if report is not None:
                report(min(start + batch_size, len(images)), len(images))
        return ImageSet(images, np.concatenate(features), np.concatenate(probabilities))


def train_classifier(
    images: np.ndarray,
    labels: np.ndarray,
    settings: ClassifierSettings,
    seed: int,
    report: Callable[[int, int], None] | None = None,
) -> tuple[StudyClassifier, float]:
    """Train a classifier and return it with its accuracy on a held-out tenth of the images.

    Args:
        images: uint8 [N, H, W, C].
        labels: int64 [N].
        settings: Steps, batch size, rate, width.
        seed: Seeds everything random.
        report: Called with (steps done, steps in all).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = StudyClassifier(images.shape[-1], int(labels.max()) + 1, settings.width)
        model(_to_pixels(images[:1]))  # gives the lazy layer its shape
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(images), generator=generator)
    held_out, kept = order[: len(order) // 10], order[len(order) // 10 :]
    pixels, target = _to_pixels(images), torch.from_numpy(labels)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    for step in range(settings.steps):
        batch = kept[torch.randint(len(kept), (settings.batch_size,), generator=generator)]
        logits = model(pixels[batch])[1]
        functional.cross_entropy(logits, target[batch], label_smoothing=0.05).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        if report is not None:
            report(step + 1, settings.steps)
    predicted = model.describe(images[held_out.numpy()]).probabilities.argmax(1)
    return model.eval(), float((predicted == labels[held_out.numpy()]).mean())


def save_classifier(model: StudyClassifier, size: int, path: Path) -> None:
    """Write weights and shape to one safetensors file."""
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, path, metadata={"shape": json.dumps({**model.shape, "size": size})})


def load_classifier(path: Path, device: str = "cpu") -> StudyClassifier:
    """Read what :func:`save_classifier` wrote."""
    with safe_open(path, "pt", device="cpu") as file:
        shape = json.loads(file.metadata()["shape"])
        weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
    size = shape.pop("size")
    model = StudyClassifier(**shape)
    model(torch.zeros(1, shape["channels"], size, size))
    model.load_state_dict(weights)
    return model.to(device).eval()


def _to_pixels(images: np.ndarray) -> Tensor:
    array = np.array(images.transpose(0, 3, 1, 2), order="C")  # images may be read-only
    return torch.from_numpy(array).float().div_(127.5).sub_(1.0)
