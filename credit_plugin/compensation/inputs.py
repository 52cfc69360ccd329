"""What a report is made from: measured facts and settings, checked to fit together.

Everything here is plain data. The report neither looks anything up nor computes a model's
property; it states what it is given, and what follows from it (shares, payouts, sensitivity).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from credit_plugin.compensation.commitment import (
    Commitment,
    Standing,
    policy_of,
    protocol_of,
    standing,
)
from credit_plugin.compensation.division import Claims
from credit_plugin.config import Study
from credit_plugin.contributors.intake import Decision, OwnerRecord, Submissions
from credit_plugin.errors import InputError
from credit_plugin.fidelity.result import FidelityResult
from credit_plugin.game.table import UtilityTable
from credit_plugin.values import ContributorValues, Reliability


@dataclass(frozen=True, eq=False)
class ReportInputs:
    """Everything a report states.

    Attributes:
        study: The settings.
        created: When, in UTC.
        values: Values by property, oriented so that positive means "made it better". All have the
            same contributors in the same order.
        directions: +1 if higher is better, -1 if lower is, by property.
        table: Oriented utilities of every evaluated coalition.
        image_counts: int [n], images of each contributor.
        attribution: Lines that must travel with the data, one for each contributor if they are so
            many.
        licences: One for each contributor, or empty.
        dataset_name: Name of the data.
        dataset_digest: sha256 of the data; it also keys the hash that settles the last cents.
        contributor_digests: sha256 of each contributor's data.
        models: Registered versions by kind, ``name/version``.
        full_model_properties: Properties of the unpruned full model, not oriented.
        pruned_model_properties: Properties of the pruned model before coalitions, not oriented.
        baselines: Oriented v(empty) of the headline by the name of other baselines.
        costs: Seconds by phase.
        lost: One line for each evaluation that was given up.
        versions: Versions of code and libraries by package.
        thumbnails: PNG of one image by contributor; may be empty.
        stopped: Where and why a stopping rule ended the evaluations; empty without a rule.
        reliability: Whether anybody may be paid by the values of a property, where that was
            assessed, by property.
        retrained: Oriented utilities of retrained coalitions, if the values are two-level.
        fidelity: What a check of the headline's values against retraining found, if there was one.
        submissions: What was submitted and who plays, if that was decided by a policy.
        decisions: What was decided about single images, one record each.
        commitments: Policies that were written down, the first one first; may be empty.
        distances: float [n], how far each contributor's images are from everybody else's.
        others: Other studies on the same data, one record each.

    Raises:
        InputError: If the parts do not fit together.
    """

    study: Study
    created: datetime
    values: Mapping[str, ContributorValues]
    directions: Mapping[str, int]
    table: UtilityTable
    image_counts: np.ndarray
    attribution: tuple[str, ...]
    licences: tuple[str, ...]
    dataset_name: str
    dataset_digest: str
    contributor_digests: Mapping[str, str]
    models: Mapping[str, str]
    full_model_properties: Mapping[str, float]
    pruned_model_properties: Mapping[str, float]
    baselines: Mapping[str, float]
    costs: Mapping[str, float]
    lost: tuple[str, ...]
    versions: Mapping[str, str]
    thumbnails: Mapping[str, bytes] = field(default_factory=dict)
    stopped: str = ""
    reliability: Mapping[str, Reliability] = field(default_factory=dict)
    retrained: UtilityTable | None = None
    fidelity: FidelityResult | None = None
    submissions: Submissions | None = None
    decisions: tuple[Decision, ...] = ()
    commitments: tuple[Commitment, ...] = ()
    distances: np.ndarray | None = None
    others: tuple[Mapping[str, str], ...] = ()

    def __post_init__(self) -> None:
        headline = self.study.properties.headline
        if headline not in self.values:
            raise InputError(f"values: the headline property {headline!r} is not among them")
        names = self.table.contributors
        for name, values in self.values.items():
            if values.contributors != names:
                raise InputError(f"values: {name!r} has other contributors than the table")
            if self.directions.get(name) not in (1, -1):
                raise InputError(f"directions: {name!r} needs +1 or -1")
        if len(self.image_counts) != len(names):
            raise InputError(f"image_counts: {len(self.image_counts)} for {len(names)} names")
        if self.licences and len(self.licences) != len(names):
            raise InputError(f"licences: {len(self.licences)} for {len(names)} contributors")
        if self.distances is not None and len(self.distances) != len(names):
            raise InputError(f"distances: {len(self.distances)} for {len(names)} contributors")
        if self.created.utcoffset() != timedelta(0):
            raise InputError("created: a time in UTC is needed, with its zone")
        paid_by = self.headline.values
        if self.fidelity is not None and not self.fidelity.is_of(headline, names, paid_by):
            raise InputError("fidelity: other values than these were checked; check these anew")

    @property
    def headline(self) -> ContributorValues:
        """The values that are paid by."""
        return self.values[self.study.properties.headline]

    @property
    def claims(self) -> Claims:
        """What is known of the contributors beside their values."""
        count = len(self.table.contributors)
        records = self.records()
        disputed = [
            records[name].disputed_share if name in records else 0.0
            for name in self.table.contributors
        ]
        unknown = np.full(count, np.nan)
        return Claims(
            images=np.asarray(self.image_counts),
            disputed=np.array(disputed),
            distances=unknown if self.distances is None else self.distances,
        )

    @property
    def standing(self) -> Standing | None:
        """How the policy stands to the one that was written down first, if one was."""
        if not self.commitments:
            return None
        policy = policy_of(self.study, self.directions)
        return standing(self.commitments[0], policy, protocol_of(self.study))

    def records(self) -> dict[str, OwnerRecord]:
        """Return what was submitted by owner; empty if nothing was decided by a policy."""
        return {} if self.submissions is None else {r.owner: r for r in self.submissions.owners}
