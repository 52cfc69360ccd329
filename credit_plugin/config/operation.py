"""Sections that change no result: where the work runs, and what is paid out by the values."""

from decimal import Decimal

from pydantic import Field, ValidationInfo, field_validator

from credit_plugin.config.fields import Count, NonNegative, Positive, Settings
from credit_plugin.currency import decimals


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
