"""What a report says, as plain data: shares, payouts, certainty and sensitivity.

Payouts are those of the study's policy (:mod:`credit_plugin.compensation.division`): by values
where they are reliable, by the declared rule where not. What values would pay and what the number
of images would pay stand beside it whatever the gate says.

Sensitivity to the baseline is not an approximation: v(empty) is replaced in the utility table and
the same estimator runs again. (For the exact Shapley value a change of v(empty) by d changes each
value by -d/n; estimators from a sample of coalitions follow this only roughly.)

These facts are ``values.json``, and every rendering is made from them alone, so that HTML, Markdown
and CSV cannot disagree.
"""

import math
from collections import defaultdict
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from credit_plugin.compensation.agencies import describe_groups, describe_mergers
from credit_plugin.compensation.division import Division, by_values, divide
from credit_plugin.compensation.gate import judge_gate
from credit_plugin.compensation.inputs import ReportInputs
from credit_plugin.compensation.payout import as_amount, pool_in_minor_units
from credit_plugin.compensation.proxy_check import check_large_payees
from credit_plugin.compensation.valuing import valuation_of
from credit_plugin.compensation.warnings import warnings_of
from credit_plugin.fidelity import verdict as judging
from credit_plugin.fidelity.counterfactual import RANDOM
from credit_plugin.fidelity.result import OWN, FidelityResult, Test
from credit_plugin.game.table import UtilityTable
from credit_plugin.jsonable import jsonable
from credit_plugin.values import ContributorValues

SCHEMA_VERSION = 3
STATUS, SEALED = "draft, not signed", "sealed, not signed"
_FEWEST_RESAMPLES = 2  # only the values are needed of a re-estimate, not its intervals


def collect_facts(inputs: ReportInputs) -> dict[str, Any]:
    """Return everything that the report says, as data that JSON can hold.

    Numbers that are not finite become None.
    """
    study, headline = inputs.study, inputs.headline
    policy = study.compensation
    gate = judge_gate(policy, headline.property, inputs.reliability, inputs.fidelity)
    known = inputs.reliability.get(headline.property)
    division = divide(
        inputs.values, headline.property, inputs.claims, policy, gate, inputs.dataset_digest
    )
    certainty, proxy = _certainty(headline, inputs.table), check_large_payees(inputs)
    half_width = certainty["half_width_over_equal_share"]
    facts: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "status": SEALED if inputs.standing and inputs.standing.sealable else STATUS,
        "study": study.name,
        "created": inputs.created.isoformat(),
        "property": headline.property,
        "direction": inputs.directions[headline.property],
        "currency": policy.currency,
        "pool_minor": pool_in_minor_units(policy.pool, policy.currency),
        "totals_minor": division.settlement.totals(),
        "gate": gate.to_json_dict(),
        "warnings": warnings_of(inputs, gate, division, proxy, half_width),
        "proxy_residuals": [
            {**asdict(found), "contributor": headline.contributors[found.player]} for found in proxy
        ],
        "commitment": inputs.standing.to_json_dict() if inputs.standing else None,
        "submissions": inputs.submissions.to_json_dict() if inputs.submissions else None,
        "other_studies": [dict(other) for other in inputs.others],
        "baseline": study.game.baseline,
        "v_empty": headline.v_empty,
        "v_full": headline.v_full,
        "confidence": headline.confidence,
        "estimator": headline.estimator,
        "diagnostics": dict(headline.diagnostics),
        "certainty": certainty,
        "reliability": known.to_json_dict() if known else None,
        "reliability_of_others": _reliability_of_others(inputs),
        "fidelity": _fidelity(inputs.fidelity) if inputs.fidelity else None,
        "retrained": len(inputs.retrained.select(headline.property)) if inputs.retrained else 0,
        "rows": _rows(inputs, division),
        "groups": describe_groups(inputs, division),
        "if_merged": describe_mergers(inputs),
        "baselines": _under_baselines(inputs),
        "properties": {name: v.to_json_dict() for name, v in inputs.values.items()},
        "directions": dict(inputs.directions),
        "full_model_properties": dict(inputs.full_model_properties),
        "pruned_model_properties": dict(inputs.pruned_model_properties),
        "dataset": inputs.dataset_name,
        "dataset_digest": inputs.dataset_digest,
        "models": dict(inputs.models),
        "attribution": list(inputs.attribution),
        "costs": dict(inputs.costs),
        "lost": list(inputs.lost),
        "stopped": inputs.stopped,
        "versions": dict(inputs.versions),
        "settings": study.model_dump(mode="json"),
    }
    return {key: jsonable(value) for key, value in facts.items()}


def _rows(inputs: ReportInputs, division: Division) -> list[dict[str, Any]]:
    """Return one record for each contributor, the highest value first."""
    headline = inputs.headline
    shares, records = headline.shares(), inputs.records()
    without, alone = _borders(inputs)
    groups_with, groups_without = _contrasts(inputs)
    outliers = {outlier.owner: outlier for outlier in division.outliers}
    agencies = {
        name: agency for agency, names in inputs.study.compensation.groups.items() for name in names
    }
    own_lines = len(inputs.attribution) == len(shares)
    reasons: dict[int, list[str]] = defaultdict(list)
    for hold in division.holds:
        reasons[hold.payee].append(hold.reason)
    rows = [
        {
            "contributor": name,
            "value": float(headline.values[i]),
            "standard_error": float(headline.standard_errors[i]),
            "ci_low": float(headline.ci_low[i]),
            "ci_high": float(headline.ci_high[i]),
            "ranks": _ranks(inputs, i),
            "value_share": float(shares[i]),
            "share": float(division.shares[i]),
            **_money(inputs, division, i),
            "holds": reasons[i],
            "images": int(inputs.image_counts[i]),
            "without": without[i],
            "alone": alone[i],
            "groups_with": groups_with[i],
            "groups_without": groups_without[i],
            "distance": None if inputs.distances is None else float(inputs.distances[i]),
            "agency": agencies.get(name),
            "submission": asdict(records[name]) if name in records else None,
            "outlier": asdict(outliers[i]) if i in outliers else None,
            "licence": inputs.licences[i] if inputs.licences else None,
            "attribution": inputs.attribution[i] if own_lines else None,
            "data_sha256": inputs.contributor_digests.get(name),
        }
        for i, name in enumerate(headline.contributors)
    ]
    order = np.argsort(-headline.values, kind="stable")
    return [rows[i] for i in order]


def _borders(inputs: ReportInputs) -> tuple[list[float | None], list[float | None]]:
    """Return what was measured of everybody but one, and of each one alone; None if nothing was."""
    table = inputs.table.select(inputs.headline.property)
    sizes, n = table.coalitions.sum(axis=1), len(table.contributors)
    found = []
    for size, among in ((n - 1, ~table.coalitions), (1, table.coalitions)):
        rows = np.flatnonzero(sizes == size)
        who, utilities = among[rows].argmax(axis=1), table.utilities[rows]
        counts = np.bincount(who, minlength=n)
        sums = np.bincount(who, utilities, minlength=n)
        found.append([float(s / c) if c else None for s, c in zip(sums, counts, strict=True)])
    return found[0], found[1]


def _contrasts(inputs: ReportInputs) -> tuple[list[float | None], list[float | None]]:
    """Return the mean of groups with each contributor, and of groups of the same sizes without.

    Sizes count alike; one of which all groups have somebody, or none has, is left out for them.
    """
    table = inputs.table.select(inputs.headline.property)
    inside, utilities = table.coalitions.astype(float), table.utilities
    sizes = table.coalitions.sum(axis=1)
    of_size = (sizes == np.unique(sizes)[:, None]).astype(float)
    count, total = of_size.sum(axis=1)[:, None], (of_size @ utilities)[:, None]
    count_with, total_with = of_size @ inside, (of_size * utilities) @ inside
    both = (count_with > 0) & (count_with < count)
    with np.errstate(divide="ignore", invalid="ignore"):
        having = np.where(both, total_with / count_with, np.nan)
        lacking = np.where(both, (total - total_with) / (count - count_with), np.nan)
        found = [np.nansum(means, axis=0) / both.sum(axis=0) for means in (having, lacking)]
    listed = [[float(x) if np.isfinite(x) else None for x in means] for means in found]
    return listed[0], listed[1]


def _money(inputs: ReportInputs, division: Division, i: int) -> dict[str, Any]:
    """Return the amounts of one contributor."""
    settled, currency = division.settlement, inputs.study.compensation.currency
    return {
        "payout": as_amount(settled.gross[i], currency),
        "payout_minor": settled.gross[i],
        "reserved_minor": settled.reserved[i],
        "doubted_minor": settled.doubted[i],
        "held_minor": settled.held[i],
        "brought_forward_minor": settled.brought_forward[i],
        "carried_minor": settled.carried[i],
        "paid_minor": settled.paid[i],
        "value_payout_minor": division.by_values[i],
        "count_payout": as_amount(division.by_count[i], currency),
        "count_payout_minor": division.by_count[i],
    }


def _reliability_of_others(inputs: ReportInputs) -> dict[str, str]:
    """Return what was found of the other properties that the policy pays, in words."""
    headline = inputs.headline.property
    paid = inputs.study.compensation.property_weights(headline)
    judged = [name for name in paid if name != headline and name in inputs.reliability]
    return {name: inputs.reliability[name].statement for name in judged}


def _ranks(inputs: ReportInputs, i: int) -> list[int] | None:
    """Return the best and the worst rank that the data allow, if they are known."""
    known = inputs.reliability.get(inputs.headline.property)
    return None if known is None else [int(known.rank_low[i]), int(known.rank_high[i])]


def _certainty(headline: ContributorValues, table: UtilityTable) -> dict[str, Any]:
    """Return how sure the values are, in numbers that a lay reader can be told."""
    measured = table.select(headline.property)
    half_width = float(np.median(headline.ci_high - headline.ci_low) / 2)
    equal_value = float(np.clip(headline.values, 0, None).mean())
    known = headline.diagnostics.get("seed_noise_degrees", 0) != 0
    return {
        "evaluations": len(measured),
        "coalitions": len(np.unique(measured.coalitions, axis=0)),
        "above_zero": int((headline.ci_low > 0).sum()),
        "below_zero": int((headline.ci_high < 0).sum()),
        "median_half_width": half_width,
        "value_of_equal_share": equal_value,
        "half_width_over_equal_share": half_width / equal_value if equal_value > 0 else None,
        "seed_noise": headline.diagnostics.get("seed_noise") if known else None,
    }


def _fidelity(result: FidelityResult) -> dict[str, Any]:
    """Return what a check against retraining found, in words and in its main numbers."""
    found = judging.verdict(result)
    return {
        "statement": found.statement,
        "findings": list(found.findings),
        "warning": found.warning,
        "confidence": result.confidence,
        "utility": result.utility,
        "utility_name": judging.utility_name(result.utility),
        "payable": result.payable,
        "settled_ranks": result.settled_ranks,
        "tests": [_tested(result, test) for test in result.tests],
        "removals": _removals(result),
        "methods": len(result.methods),
        "skipped": dict(result.skipped),
        "lost": list(result.lost),
        "seconds": sum(result.seconds.values()),
    }


def _tested(result: FidelityResult, test: Test) -> dict[str, Any]:
    """Return one test set: the values, how high a score could be, the best rivals, v(S)."""
    lds = test.lds
    agreement = test.agreement.get(result.property, {}).get(result.utility)
    return {
        "alpha": test.alpha,
        "size": test.size,
        "coalitions": len(test.coalitions),
        "seeds": test.seeds,
        "lds": asdict(lds.scores[OWN]),
        "share_of_possible": judging.share_of_possible(test),
        "cross_seed": asdict(lds.cross_seed),
        "noise_ceiling": asdict(lds.noise_ceiling),
        "additive_ceiling": asdict(lds.additive) if lds.additive else None,
        "rivals": {
            kind: {
                "name": rival.name,
                "label": rival.label,
                "does": judging.RIVALS[kind],
                "lds": asdict(lds.scores[rival.name]),
                "lead_of_values": asdict(lds.lead[rival.name]),
            }
            for kind, rival in judging.best_rivals(result, test).items()
        },
        "agreement": asdict(agreement) if agreement else None,
    }


def _removals(result: FidelityResult) -> list[dict[str, Any]]:
    """Return what leaves the property with some contributors, oriented; None where it was lost."""
    described = []
    for who, method, top in (("top", OWN, True), ("bottom", OWN, False), ("random", RANDOM, True)):
        removal = judging.removal_at(result, method, top)
        if removal is None:
            continue
        change = result.counterfactual(method, removal.share, top)
        relative = [result.relative(x) for x in asdict(change).values()] if change else []
        described.append(
            {
                "who": who,
                "share": removal.share,
                "removed": removal.removed,
                "orders": len(removal.rest),
                "change": asdict(change) if change else None,
                "relative_change": dict(zip(("value", "low", "high"), relative, strict=False)),
                "words": judging.change_words(result, change.value) if change else None,
            }
        )
    return described


def _under_baselines(inputs: ReportInputs) -> list[dict[str, Any]]:
    """Return what values would pay under the study's baseline and each of the others.

    Lists are in the order of the contributors in the table.
    """
    headline, own = inputs.headline, inputs.headline.v_empty
    cases = [("own", own, headline.values)]
    for name, v_empty in inputs.baselines.items():
        if not math.isclose(v_empty, own, rel_tol=1e-9, abs_tol=1e-12):
            cases.append((name, v_empty, _values_from(inputs, v_empty)))
    described = []
    for name, v_empty, values in cases:
        moved = {**inputs.values, headline.property: replace(headline, values=values)}
        shares, payouts = by_values(
            moved,
            headline.property,
            inputs.claims.images,
            inputs.study.compensation,
            inputs.dataset_digest,
        )
        described.append(
            {
                "name": name,
                "v_empty": float(v_empty),
                "values": values.tolist(),
                "shares": (shares if any(payouts) else np.zeros(len(shares))).tolist(),
                "payouts_minor": payouts,
            }
        )
    return described


def _values_from(inputs: ReportInputs, v_empty: float) -> np.ndarray:
    """Estimate the headline again with another v(empty)."""
    name = inputs.headline.property
    valuation = valuation_of(inputs.study, inputs.table.contributors, inputs.image_counts)
    table = _with_empty(inputs.table.select(name), v_empty)
    exact = inputs.retrained
    if exact is not None:
        exact = _with_empty(exact.select(name), v_empty)
    return valuation.values(table, name, exact, resamples=_FEWEST_RESAMPLES).values


def _with_empty(table: UtilityTable, v_empty: float) -> UtilityTable:
    """Return a table in which the empty coalition has another utility."""
    empty = ~table.coalitions.any(axis=1)
    return replace(table, utilities=np.where(empty, v_empty, table.utilities))
