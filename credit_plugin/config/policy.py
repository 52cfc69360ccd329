"""The payout policy: how money follows values, agreed before the first coalition is evaluated.

It is the section ``compensation`` of the study file, or a file of its own that
``compensation.policy`` names (YAML, the same fields). What concerns who plays (owners, groups,
exclusions, duplicates) shapes the game; the rest only the payout. Either way the policy is
hashed and written down before the first coalition, and a report under another one says so
(:mod:`credit_plugin.compensation.commitment`).

What only the data can tell, an unknown owner or guarantees beyond the pool, is checked by
:func:`credit_plugin.compensation.terms.check_policy` before anything is trained.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from credit_plugin.config.fields import NonNegative, Positive, Settings
from credit_plugin.currency import decimals

Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[Decimal, Field(ge=0, le=Decimal("1e15"))]


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


Several = Annotated[tuple[str, ...], BeforeValidator(_several), Field(min_length=1)]


class GateSettings(Settings):
    """When values are reliable enough to pay by; otherwise the fall-back rule pays."""

    misallocation: Share = Field(
        0.15, description="Largest share of the payout that resampling may move."
    )
    correlation: Share = Field(
        0.8, description="Smallest rank correlation of the values of two halves of the coalitions."
    )
    fidelity: Share = Field(
        0.0,
        description="Smallest share of the possible LDS, once values were checked against "
        "retraining; 0 does not ask for it.",
    )


class RuleSettings(Settings):
    """How values become shares: clipped at 0 and renormalised, beside a base for everybody."""

    base_share: Share = Field(
        0.0, description="Part of the pool that is paid by the base, whatever the values are."
    )
    base: Literal["count", "equal"] = Field(
        "count", description="What the base follows: accepted images, or each owner alike."
    )


class ReviewSettings(Settings):
    """Who has to sign a report before anybody is paid by it."""

    approvals: int = Field(1, ge=1, le=2, description="How many reviewers have to approve.")
    unverified: bool = Field(
        False,
        description="Whether names that no server and no key has verified can make a report final.",
    )
    compensating_control: str = Field(
        "",
        max_length=500,
        description="What a team does that is too small for preparer, reviewer and payer to "
        "differ; with it a reviewer may be the payer too, and every page prints it.",
    )
    keys: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = Field(
        {},
        description="Public Ed25519 keys by name (credit review key): whoever is listed signs "
        "with theirs, or not at all.",
    )
    servers: tuple[Annotated[str, Field(pattern="^[0-9a-f]{64}$")], ...] = Field(
        (),
        description="Public keys of servers whose word on who signed in is taken (credit ui --auth "
        "prints its own).",
    )
    retention_years: int = Field(10, ge=0, description="How long report and ledger are kept.")


class CompensationSettings(Settings):
    """What is paid out by the values: the payout policy."""

    version: str = Field("1", min_length=1, description="Of the policy, as your team counts them.")
    period: str = Field("", description="What the pool is for, for instance 2026 H2.")
    currency: str = Field("EUR", pattern="^[A-Z]{3}$", description="ISO 4217 code.")
    pool: Decimal = Field(
        Decimal("10000.00"),
        gt=0,
        le=Decimal("1e15"),
        validate_default=True,
        description="Money to distribute, in units of the currency.",
    )
    weights: dict[str, NonNegative] = Field(
        {},
        description="Parts of the pool by property, for instance {diversity: 2, kid: 1}; empty: "
        "all by the headline.",
    )
    directions: dict[str, Literal["higher", "lower"]] = Field(
        {},
        description="What is better of a property, stated; another one than measured is refused.",
    )
    owners: dict[str, Several] = Field(
        {},
        description="Verified owners and what is theirs: contributor names and file names. An "
        "owner is one player, whatever number of names they use.",
    )
    groups: dict[str, Several] = Field(
        {}, description="Agencies and collectives and their owners (Owen value)."
    )
    inside: Literal["nested", "size"] = Field(
        "nested",
        description="How a group's value is divided: nested measures coalitions of its members; "
        "size follows their accepted images and measures none.",
    )
    rule: RuleSettings = RuleSettings()
    fallback: Literal["count", "equal"] = Field(
        "count", description="What is paid by when the gate stays closed."
    )
    gate: GateSettings = GateSettings()
    floor: Amount = Field(
        Decimal(0), validate_default=True, description="What every owner is guaranteed."
    )
    cap: Amount | None = Field(None, description="The most that one owner can get; null: no limit.")
    threshold: Amount = Field(
        Decimal(0),
        validate_default=True,
        description="Smaller payments are carried forward to the next period.",
    )
    brought_forward: dict[str, Amount] = Field(
        {}, description="What is outstanding from earlier periods, by owner."
    )
    reserve: float = Field(
        0.0, ge=0, lt=1, description="Part of everybody's payout that waits for contests to end."
    )
    contest_days: int = Field(
        30, ge=0, le=3650, description="Days in which a payout can be contested."
    )
    contact: str = Field("", description="Where to contest, and whom to ask.")
    review: ReviewSettings = ReviewSettings()
    provenance: dict[str, str] = Field(
        {},
        description="What is known of the data and the model, by the names of fields in "
        "credit_plugin.compensation.provenance: issuer, consent_location, provider and so on.",
    )
    holds: dict[str, str] = Field(
        {}, description="Owners whose money is held, each with the reason."
    )
    outlier_ratio: Positive = Field(
        5.0,
        description="Owners whose value per image is so many times the median, and whose images "
        "are unusual, are flagged: what is above their share by count is held.",
    )
    withdrawn: dict[str, str] = Field(
        {}, description="Names or files whose consent is withdrawn, each with when or how."
    )
    exclusions: dict[str, str] = Field(
        {}, description="Names or files that take no part, each with the reason."
    )
    duplicates: Literal["merge", "hold", "keep"] = Field(
        "merge",
        description="Copies across owners: merge keeps the earliest registered and holds the "
        "money where that is not known; hold keeps all of them and their money; keep does nothing.",
    )
    registered: dict[str, date] = Field(
        {},
        description="When a name's work was registered; a column registered of metadata.csv "
        "says it image by image.",
    )

    @field_validator("pool", "floor", "cap", "threshold")
    @classmethod
    def _whole_units(cls, value: Decimal | None, info: ValidationInfo) -> Decimal | None:
        return None if value is None else _in_whole_units(value, info)

    @field_validator("brought_forward")
    @classmethod
    def _all_whole_units(
        cls, value: dict[str, Decimal], info: ValidationInfo
    ) -> dict[str, Decimal]:
        return {name: _in_whole_units(amount, info) for name, amount in value.items()}

    @field_validator("owners", "groups")
    @classmethod
    def _nothing_is_given_twice(
        cls, value: dict[str, tuple[str, ...]], info: ValidationInfo
    ) -> dict[str, tuple[str, ...]]:
        given = Counter(name for names in value.values() for name in names)
        twice = [name for name, count in given.items() if count > 1]
        if twice:
            raise ValueError(f"{twice[0]!r} is there twice; it can belong to one only")
        return value

    @field_validator("holds", "exclusions", "withdrawn")
    @classmethod
    def _reasons(cls, value: dict[str, str]) -> dict[str, str]:
        silent = [name for name, reason in value.items() if not reason.strip()]
        if silent:
            raise ValueError(f"{silent[0]!r} has no reason; state it, it is printed")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "CompensationSettings":
        if self.weights and not any(self.weights.values()):
            raise ValueError("weights: all are 0, so nothing would be paid by values")
        if self.cap is not None and self.cap < self.floor:
            raise ValueError(f"cap = {self.cap} is below the guaranteed floor = {self.floor}")
        if self.floor > self.pool:
            raise ValueError(f"floor = {self.floor} for one owner is above the pool = {self.pool}")
        both = sorted(set(self.withdrawn) & set(self.exclusions))
        if both:
            raise ValueError(f"withdrawn: {both[0]!r} is among the exclusions too; keep one reason")
        return self

    def property_weights(self, headline: str) -> dict[str, float]:
        """Return the parts of the pool by property, summing to 1, without those that have none."""
        given = {name: weight for name, weight in self.weights.items() if weight > 0}
        total = sum(given.values())
        return {name: w / total for name, w in given.items()} if given else {headline: 1.0}


def unmeasured(settings: CompensationSettings, names: Iterable[str]) -> str:
    """Return the line about a property that a policy names and a study does not measure."""
    measured = tuple(names)
    for field in ("weights", "directions"):
        stated: Mapping[str, object] = getattr(settings, field)
        for name in stated:
            if name not in measured:
                return (
                    f"compensation.{field}: {name!r} is not measured; add it to properties.names "
                    f"({', '.join(measured)})"
                )
    return ""


def _in_whole_units(value: Decimal, info: ValidationInfo) -> Decimal:
    currency = info.data.get("currency", "EUR")  # absent if it is wrong itself
    most = decimals(currency)
    if not value.is_finite() or value != round(value, most):
        raise ValueError(f"must be a finite amount; {currency} has at most {most} decimals")
    return value.quantize(Decimal(1).scaleb(-most))
