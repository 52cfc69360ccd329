"""May the pool be paid by values? If not, the rule that the policy declared pays."""

from dataclasses import dataclass
from typing import Any

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
    reliability: Reliability | None,
    fidelity: FidelityResult | None = None,
) -> Gate:
    """Open or close the gate.

    Args:
        policy: Its limits and its fall-back.
        reliability: Of the headline's values, judged by the policy's limits; None if nobody did.
        fidelity: What a check against retraining found, if there was one.
    """
    failures = []
    if reliability is None:
        failures.append("nobody assessed how reliable they are")
    elif not reliability.passed:
        failures += reliability.findings or reliability.failures
    if policy.gate.fidelity > 0:
        failures += _not_faithful(policy.gate.fidelity, fidelity)
    return Gate(policy.fallback if failures else VALUES, tuple(failures))


def _not_faithful(least: float, fidelity: FidelityResult | None) -> list[str]:
    if fidelity is None:
        return ["the policy asks for a check against retraining, and there was none"]
    shares = [judging.share_of_possible(test) for test in fidelity.tests]
    known = [share for share in shares if share is not None]
    if not known or min(known) < least:
        found = f"{min(known):.2f}" if known else "an unknown part"
        return [f"they explain {found} of what retraining allows, and {least:g} is asked for"]
    return []
