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

from credit_plugin.config.fields import Settings
from credit_plugin.config.game import FidelitySettings, GameSettings, ValuesSettings
from credit_plugin.config.loading import DEFAULT_PRESET, dump_study, load_study, preset_names
from credit_plugin.config.models import (
    AutoencoderSettings,
    BaseSettings,
    ClassifierSettings,
    DataSettings,
    DiffusionSettings,
    LoraSettings,
    NetworkSettings,
    NoiseSettings,
    PropertySettings,
    PruningSettings,
    RecipeSettings,
    SamplingSettings,
    TrainingSettings,
)
from credit_plugin.config.operation import (
    ExecutionSettings,
    KernelSettings,
    RaySettings,
    StackSettings,
)
from credit_plugin.config.policy import (
    CompensationSettings,
    GateSettings,
    ReviewSettings,
    RuleSettings,
)
from credit_plugin.config.study import Study, fingerprint
from credit_plugin.config.tuning import SearchRange, TuningSettings

__all__ = [
    "DEFAULT_PRESET",
    "AutoencoderSettings",
    "BaseSettings",
    "ClassifierSettings",
    "CompensationSettings",
    "DataSettings",
    "DiffusionSettings",
    "ExecutionSettings",
    "FidelitySettings",
    "GameSettings",
    "GateSettings",
    "KernelSettings",
    "LoraSettings",
    "NetworkSettings",
    "NoiseSettings",
    "PropertySettings",
    "PruningSettings",
    "RaySettings",
    "RecipeSettings",
    "ReviewSettings",
    "RuleSettings",
    "SamplingSettings",
    "SearchRange",
    "Settings",
    "StackSettings",
    "Study",
    "TrainingSettings",
    "TuningSettings",
    "ValuesSettings",
    "dump_study",
    "fingerprint",
    "load_study",
    "preset_names",
]
