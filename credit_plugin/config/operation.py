"""The section that changes no result: where the work runs."""

from pydantic import Field

from credit_plugin.config.fields import Count, NonNegative, Positive, Settings


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
