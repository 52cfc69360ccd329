"""May the pool be paid by values? If not, the rule that the policy declared pays.

Every property that the policy pays is judged: a pool is as reliable as the worst of its parts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from credit_plugin.compensation.wording import plain
from credit_plugin.config import CompensationSettings
from credit_plugin.fidelity import verdict as judging
from credit_plugin.fidelity.result import FidelityResult
from credit_plugin.values import Reliability

VALUES = "values"
_DECLARED = {"count": "by number of accepted images", "equal": "to every owner alike"}


@dataclass(frozen=True)
class Gate:
    """Whether values pay.

    Attributes:
        paid_by: ``values``, or the fall-back rule: ``count`` or ``equal``.
        failures: Why the gate is closed, in words; empty if it is open.
    """

    paid_by: str
    failures: tuple[str, ...]

    @property
    def open(self) -> bool:
        """Whether values pay."""
        return not self.failures

    @property
    def statement(self) -> str:
        """What follows, in plain words."""
        if self.open:
            return "The values are reliable enough to pay by, as the policy measures it."
        return (
            "The values are not reliable enough to pay by: "
            f"{'; '.join(self.failures)}. As the policy declared for this case, the pool is paid "
            f"{_DECLARED[self.paid_by]}."
        )

    def to_json_dict(self) -> dict[str, Any]:
        """Return what a report says of it."""
        return {
            "open": self.open,
            "paid_by": self.paid_by,
            "failures": list(self.failures),
            "statement": self.statement,
        }


def judge_gate(
    policy: CompensationSettings,
    headline: str,
    reliability: Mapping[str, Reliability],
    fidelity: FidelityResult | None = None,
) -> Gate:
    """Open or close the gate.

    Args:
        policy: Its limits, its fall-back, and the properties that it pays.
        headline: The property that is paid where the policy names none, and that is checked
            against retraining.
        reliability: Of each property's values, judged by the policy's limits; those that nobody
            judged are not in it.
        fidelity: What a check against retraining found, if there was one.
    """
    paid = policy.property_weights(headline)
    failures = []
    for name in paid:
        whose = "" if list(paid) == [headline] else f"{plain(name)}: "
        failures += [f"{whose}{failure}" for failure in _not_reliable(reliability.get(name))]
    if policy.gate.fidelity > 0:
        unchecked = [plain(name) for name in paid if name != headline]
        if unchecked:
            failures.append(f"nobody checked {' and '.join(unchecked)} against retraining")
        failures += _not_faithful(policy.gate.fidelity, fidelity)
    return Gate(policy.fallback if failures else VALUES, tuple(failures))


def _not_reliable(found: Reliability | None) -> Iterator[str]:
    if found is None:
        yield "nobody assessed how reliable they are"
    elif not found.passed:
        yield from found.findings or found.failures


def _not_faithful(least: float, fidelity: FidelityResult | None) -> list[str]:
    if fidelity is None:
        return ["the policy asks for a check against retraining, and there was none"]
    shares = [judging.share_of_possible(test) for test in fidelity.tests]
    known = [share for share in shares if share is not None]
    if not known or min(known) < least:
        found = f"{min(known):.2f}" if known else "an unknown part"
        return [f"they explain {found} of what retraining allows, and {least:g} is asked for"]
    return []
