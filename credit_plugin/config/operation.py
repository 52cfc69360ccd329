"""The section that changes no result: where the work runs."""

from typing import Any, Literal

from pydantic import Field, field_validator

from credit_plugin.config.fields import Count, NonNegative, Positive, Settings


class RaySettings(Settings):
    """Of engine ray: where its cluster is, and what one worker takes of it."""

    address: str = Field(
        "",
        description="Of a running cluster: auto, or host:port. local: one that is started for the "
        "study. Empty: that of RAY_ADDRESS or of this machine, if there is one, or local.",
    )
    cpus: NonNegative = Field(
        0.0, description="CPUs of each worker; 0 is as many as it has threads."
    )
    gpus: float | None = Field(
        None,
        ge=0,
        description="GPUs of each worker, for instance 0.25; null is one where the cluster has "
        "any, and none where it has not.",
    )
    memory_gb: NonNegative = Field(0.0, description="Memory kept for each worker; 0: not counted.")
    files: Literal["auto", "sent"] = Field(
        "auto",
        description="How workers get at the study's files: auto reads them where they are if the "
        "folder is shared, and has them sent if it is not; sent has them sent always.",
    )
    runtime_env: dict[str, Any] = Field(
        {}, description="Ray's own runtime_env, for clusters that lack this package."
    )


class StackSettings(Settings):
    """Of engine stacked: coalitions that are trained at once on one device."""

    size: int = Field(
        0, ge=0, description="Coalitions at once; 0 is as many as the free memory holds."
    )
    over: str = Field(
        "processes", description="Registered engine whose workers train stacks: processes, ray."
    )

    @field_validator("over")
    @classmethod
    def _another_engine(cls, value: str) -> str:
        if value == "stacked":
            raise ValueError("stacks cannot be stacked; use processes or ray")
        return value


class KernelSettings(Settings):
    """How PyTorch runs networks that are not in stacks.

    Measure first: python -m tests.benchmarks.gpu.
    """

    memory_format: Literal["contiguous", "channels_last"] = Field(
        "contiguous", description="Order of weights in memory, which convolutions of GPUs can like."
    )
    compile: Literal["off", "default", "reduce-overhead", "max-autotune"] = Field(
        "off",
        description="Mode of torch.compile; reduce-overhead records CUDA graphs. Takes a minute or "
        "more of every worker.",
    )


class ExecutionSettings(Settings):
    """Where the work runs; changes no result, but the price can stop a study (rule money).

    Engine stacked and other kernels round otherwise, as another machine does.
    """

    engine: str = Field(
        "processes",
        description="Registered engine: processes; ray, on a cluster; stacked, several coalitions "
        "at once on each GPU.",
    )
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
    ray: RaySettings = RaySettings()
    stack: StackSettings = StackSettings()
    kernels: KernelSettings = KernelSettings()
