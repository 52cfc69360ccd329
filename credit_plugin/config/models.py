"""Sections of what is trained and measured: data, network, training, pruning and properties."""

import math
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from credit_plugin.config.fields import Count, Names, NonNegative, Positive, Ratio, Settings

PLACES = ("path", "source")
"""Settings of observers and properties that say where a network is; its content is hashed."""

COOLDOWN = 0.2
"""Share of a run over which schedule ``cooldown`` lets the rate fall."""


class DataSettings(Settings):
    """Who gave what."""

    source: str = Field(
        "designers",
        description="Registered source: designers, digits, imagefolder, archive, huggingface.",
    )
    path: Path | None = Field(
        None,
        description="Folder or archive of the images, for sources that read one; of source "
        "huggingface, a folder or the name of a dataset on the hub.",
    )
    image_size: int = Field(16, ge=4, description="Height and width in pixels that images get.")
    min_images: int = Field(2, ge=1, description="A contributor with fewer images is refused.")
    noise: Names = Field(
        (),
        description="Contributors whose images are replaced by noise, to see whether values put "
        "them at the bottom.",
    )
    options: dict[str, Any] = Field({}, description="Settings of the source itself.")


class NetworkSettings(Settings):
    """The UNet (diffusers UNet2DModel)."""

    block_out_channels: tuple[Count, ...] = Field(
        (16, 32, 32), min_length=1, description="Width of each resolution level, finest first."
    )
    patch_size: Count = Field(
        1, description="Pixels of p x p patches become channels: the network sees size / p."
    )
    layers_per_block: Count = Field(1, description="Residual layers in each level.")
    attention: tuple[bool, ...] = Field((False, False, True), description="Which levels attend.")
    attention_head_dim: Count | None = Field(
        8, description="Channels of one attention head; null is one head of full width."
    )
    norm_num_groups: Count = Field(8, description="Groups of every group norm; divides each width.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout inside residual layers.")

    @model_validator(mode="after")
    def _consistent(self) -> "NetworkSettings":
        if len(self.attention) != len(self.block_out_channels):
            raise ValueError(
                f"attention has {len(self.attention)} entries and block_out_channels has "
                f"{len(self.block_out_channels)}: give one for each level"
            )
        for width in self.block_out_channels:
            if width % self.norm_num_groups:
                raise ValueError(
                    f"norm_num_groups = {self.norm_num_groups} does not divide the width {width} "
                    "in block_out_channels"
                )
        attending = [*zip(self.block_out_channels, self.attention, strict=True)]
        # between the way down and the way up the network attends at the width of the last level
        widths = [width for width, attends in attending if attends] + [self.block_out_channels[-1]]
        if self.attention_head_dim is not None and self.attention_head_dim > min(widths):
            raise ValueError(
                f"attention_head_dim = {self.attention_head_dim} is more than the width "
                f"{min(widths)} of a level that attends, as the last one always does"
            )
        return self


class NoiseSettings(Settings):
    """The forward process and what the network predicts."""

    train_timesteps: Count = Field(1000, description="Length of the noise schedule.")
    beta_schedule: Literal["linear", "scaled_linear", "squaredcos_cap_v2"] = Field(
        "linear", description="Shape of the noise schedule, by its diffusers name."
    )
    beta_start: Ratio = Field(1e-4, description="First beta; not of squaredcos_cap_v2.")
    beta_end: Ratio = Field(0.02, description="Last beta; not of squaredcos_cap_v2.")
    prediction_type: Literal["epsilon", "v_prediction", "sample"] = Field(
        "epsilon", description="What the network predicts."
    )
    zero_terminal_snr: bool = Field(
        False,
        description="Rescale betas so that the last step is pure noise; not with epsilon.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> "NoiseSettings":
        if self.beta_start >= self.beta_end:
            raise ValueError(
                f"beta_start = {self.beta_start} must be below beta_end = {self.beta_end}"
            )
        if self.zero_terminal_snr and self.prediction_type == "epsilon":
            raise ValueError(
                "zero_terminal_snr needs prediction_type v_prediction or sample: at pure noise "
                "the noise says nothing about the image"
            )
        return self


class TrainingSettings(Settings):
    """One run of gradient descent."""

    steps: Count = Field(1000, description="Gradient steps.")
    batch_size: Count = Field(32, description="Images in a step.")
    learning_rate: Positive = Field(1e-3, description="Peak learning rate of AdamW.")
    lr_schedule: Literal["constant", "cooldown", "cosine", "linear"] = Field(
        "constant",
        description="Decay after the warm-up, to zero except for constant. cooldown is constant "
        "before the last fifth, so that runs of other lengths share their beginning.",
    )
    warmup_steps: int = Field(
        0, ge=0, description="Steps over which the rate rises from zero; no longer than the run."
    )
    weight_decay: NonNegative = Field(0.0, description="Decoupled weight decay.")
    gradient_clip: Positive = Field(1.0, description="Largest norm of the gradient.")
    ema_decay: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Decay of the averaged weights, restarted in each run; 0: raw weights.",
    )
    flip: bool = Field(False, description="Mirror images at random.")

    @property
    def cooldown_steps(self) -> int:
        """Last steps, over which schedule ``cooldown`` lets the rate fall to zero."""
        return math.ceil(COOLDOWN * self.steps) if self.lr_schedule == "cooldown" else 0

    @property
    def shared_steps(self) -> int:
        """First steps, whose rate does not depend on how long the run is."""
        if self.lr_schedule in ("constant", "cooldown"):
            return self.steps - self.cooldown_steps
        return 0

    @model_validator(mode="after")
    def _warmup_fits(self) -> "TrainingSettings":
        if self.warmup_steps > self.steps:
            raise ValueError(
                f"warmup_steps = {self.warmup_steps} is longer than the run of "
                f"{self.steps} steps: the rate would never arrive"
            )
        return self


class AutoencoderSettings(Settings):
    """The frozen autoencoder of task latent."""

    source: str = Field(
        description="Folder, or repository of the Hugging Face hub: AutoencoderKL, VQModel or "
        "AutoencoderTiny of diffusers, or the two files of a TAESD."
    )
    subfolder: str = Field("", description="Part of the source, for instance vae or vqvae.")
    revision: str | None = Field(None, description="Branch, tag or commit of a repository.")
    scaling: Literal["config", "measured"] = Field(
        "config",
        description="Scale of latents: the one that the autoencoder's config states, or that of "
        "the study's own images.",
    )
    batch_size: Count = Field(16, description="Images encoded or decoded at once.")


class RecipeSettings(Settings):
    """A small Stable Diffusion, trained from scratch on captioned images that are not valued."""

    data: DataSettings = Field(description="Captioned images; their contributors do not matter.")
    prompt: str = Field("{caption}", description="Text of an image; it may use {contributor}.")
    network: NetworkSettings = NetworkSettings()
    text_width: Count = Field(64, description="Width of the text encoder.")
    text_layers: Count = Field(2, description="Layers of the text encoder.")
    noise: NoiseSettings = NoiseSettings()
    training: TrainingSettings = TrainingSettings()
    seed: int = Field(0, ge=0, description="Root of the recipe's own random numbers.")

    @model_validator(mode="after")
    def _can_be_followed(self) -> "RecipeSettings":
        if not self.prompt.strip():
            raise ValueError("prompt is empty: a recipe learns from texts; use {caption}")
        _check_prompt(self.prompt)
        if self.network.patch_size != 1:
            raise ValueError(
                f"network.patch_size = {self.network.patch_size}: a recipe has no patches; use 1"
            )
        return self


class BaseSettings(Settings):
    """The frozen pipeline of task text_to_image_lora."""

    source: str = Field(
        "",
        description="Folder, or repository of the Hugging Face hub, of a text-to-image pipeline "
        "of diffusers: Stable Diffusion 1.x, 2.x, XL or 3, or FLUX.",
    )
    recipe: RecipeSettings | None = Field(
        None, description="A small pipeline that the study trains itself, in place of a source."
    )
    revision: str | None = Field(None, description="Branch, tag or commit of a repository.")
    precision: Literal["float32", "float16", "bfloat16"] = Field(
        "float32", description="Of the frozen weights; a GPU wants bfloat16."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> "BaseSettings":
        if bool(self.source) == (self.recipe is not None):
            raise ValueError("a base has a source or a recipe, one of the two")
        return self


class LoraSettings(Settings):
    """Low-rank adapters of the base's attention: what is trained."""

    rank: Count = Field(16, description="Rank of each adapter before pruning.")
    alpha: Positive | None = Field(
        None, description="Adapters are scaled by alpha / rank; null is the rank itself."
    )
    targets: Names = Field(
        ("to_q", "to_k", "to_v", "to_out.0"),
        min_length=1,
        description="Ends of the names of the layers that get one.",
    )


class DiffusionSettings(Settings):
    """What is trained."""

    task: str = Field("ddpm", description="Registered task: ddpm, latent, text_to_image_lora.")
    condition: Literal["none", "label", "contributor", "prompt"] = Field(
        "none", description="What the network is told that an image is of."
    )
    prompt: str = Field(
        "", description="Text of condition prompt; it may use {contributor} and {caption}."
    )
    network: NetworkSettings = NetworkSettings()
    autoencoder: AutoencoderSettings | None = Field(
        None, description="Of task latent; null for tasks in pixel space."
    )
    base: BaseSettings | None = Field(
        None, description="Of task text_to_image_lora; null for tasks that train from scratch."
    )
    lora: LoraSettings = LoraSettings()
    noise: NoiseSettings = NoiseSettings()
    training: TrainingSettings = TrainingSettings()

    def identity(self) -> dict[str, Any]:
        """Return what affects results besides the content of frozen networks.

        Where these are found does not: their content is told by a digest. Which sections the task
        does not use, its registry knows: :func:`credit_plugin.diffusion.tasks.used_settings`.
        """
        places: Any = {
            "autoencoder": {"source", "subfolder", "revision", "batch_size"},
            "base": {"source": True, "revision": True, "recipe": {"data": {"path"}}},
        }
        return self.model_dump(mode="json", exclude=places)

    @model_validator(mode="after")
    def _prompt_is_complete(self) -> "DiffusionSettings":
        if bool(self.prompt.strip()) != (self.condition == "prompt"):
            raise ValueError("condition prompt needs a prompt, and no other condition has one")
        _check_prompt(self.prompt)
        return self


class PruningSettings(Settings):
    """How the full model becomes the small one."""

    method: Literal["magnitude", "random", "taylor"] = Field(
        "magnitude", description="What makes a channel unimportant."
    )
    ratio: Ratio = Field(0.5, description="Share of the channels of each layer that goes.")
    finetuning: TrainingSettings = Field(
        TrainingSettings(), description="Recovery on all data after pruning."
    )


class SamplingSettings(Settings):
    """How a model's images are drawn for its properties."""

    scheduler: str = Field("DDIMScheduler", description="Any diffusers scheduler by class name.")
    steps: Count = Field(15, description="Sampler steps.")
    samples: int = Field(512, ge=16, description="Images for each evaluation.")
    batch_size: Count = Field(256, description="Images drawn at once.")
    guidance: float = Field(
        1.0,
        ge=1,
        le=50,
        description="Scale of classifier-free guidance; 1 is none, and all that models without "
        "text know.",
    )


class ClassifierSettings(Settings):
    """The small classifier, trained on the study's data, whose features measure samples."""

    steps: Count = Field(400, description="Gradient steps.")
    batch_size: Count = Field(64, description="Images in a step.")
    learning_rate: Positive = Field(2e-3, description="Peak learning rate of AdamW.")
    width: Count = Field(
        16, multiple_of=2, description="Channels of the first layer, an even number."
    )


class PropertySettings(Settings):
    """What is measured of a model: F(theta)."""

    names: tuple[str, ...] = Field(
        ("inception_score", "frechet_distance", "diversity", "colourfulness"),
        min_length=1,
        description="Registered properties, all measured on the same samples.",
    )
    headline: str = Field("inception_score", description="The property that values are paid by.")
    observer: str = Field(
        "classifier",
        description="Registered observer, the network that looks at images for properties that "
        "have none of their own: classifier, trained on the study's own; inception, the one of "
        "published scores (0.3 s an image and core); open_clip, transformers, torchscript.",
    )
    observers: dict[str, dict[str, Any]] = Field(
        {},
        description="Settings of observers by name, for instance {inception: {path: net.pt}}.",
    )
    options: dict[str, dict[str, Any]] = Field(
        {},
        description="Settings of properties by name, for instance {aesthetic: {statistic: mean}}; "
        "observer names another network for one of them.",
    )
    reference_images: int = Field(
        1000,
        ge=20,
        description="Real images that observers look at which are not trained, at most.",
    )
    classifier: ClassifierSettings = ClassifierSettings()
    clusters: int = Field(
        20, ge=2, description="Clusters of reference features in the diversity property."
    )

    def identity(self) -> dict[str, Any]:
        """Return what affects measurements; where networks lie does not, nor does the headline.

        Which options nothing uses, the registry of properties knows:
        :func:`credit_plugin.properties.suite.used_settings`.
        """
        found = self.model_dump(mode="json", exclude={"headline"})
        for section in ("observers", "options"):
            told = {
                name: {key: value for key, value in options.items() if key not in PLACES}
                for name, options in found[section].items()
            }
            found[section] = {name: options for name, options in told.items() if options}
        return found

    @model_validator(mode="after")
    def _headline_is_measured(self) -> "PropertySettings":
        if self.headline not in self.names:
            raise ValueError(
                f"headline {self.headline!r} is not among names ({', '.join(self.names)})"
            )
        if len(set(self.names)) < len(self.names):
            raise ValueError("names lists a property twice")
        return self


def _check_prompt(prompt: str) -> None:
    try:
        prompt.format(contributor="", caption="")
    except (LookupError, ValueError, AttributeError, TypeError):
        raise ValueError(
            f"prompt {prompt!r} cannot be filled in; it may use {{contributor}} and {{caption}}"
        ) from None
