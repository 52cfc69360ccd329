"""What a reviewer must have read before anything else, as sentences."""

from collections.abc import Iterator, Sequence

from credit_plugin.compensation.division import Division
from credit_plugin.compensation.gate import Gate
from credit_plugin.compensation.inputs import ReportInputs
from credit_plugin.compensation.wording import property_words
from credit_plugin.values.proxy_residuals import ProxyResidual


def warnings_of(
    inputs: ReportInputs,
    gate: Gate,
    division: Division,
    proxy: Sequence[ProxyResidual],
    half_width: float | None,
) -> list[str]:
    """Return warnings, the gravest first.

    Args:
        inputs: What the report is made from.
        gate: Whether values pay.
        division: Who gets what.
        proxy: What retraining says of the owners who are paid most, beyond the proxy.
        half_width: Typical half-width of an interval over the value of an equal share; None where
            it is not known.
    """
    return [
        *([] if gate.open else [gate.statement]),
        *_not_sealable(inputs),
        *_too_many(inputs, half_width),
        *_outliers(inputs, division),
        *_proxy(inputs, proxy),
        *_disputed(inputs),
        *_other_studies(inputs),
    ]


def _not_sealable(inputs: ReportInputs) -> Iterator[str]:
    if inputs.standing is not None:
        for complaint in inputs.standing.complaints:
            yield f"This report cannot be sealed: {complaint}."


def _too_many(inputs: ReportInputs, half_width: float | None) -> Iterator[str]:
    if half_width is not None and half_width > 1:
        count = len(inputs.table.contributors)
        yield (
            f"{count} contributors are too many for these measurements: the typical interval "
            f"reaches {100 * half_width:.0f} % of an equal share either way, so single payouts are "
            "mostly chance. Group contributors (agencies, collectives) or measure more coalitions."
        )


def _outliers(inputs: ReportInputs, division: Division) -> Iterator[str]:
    for outlier in division.outliers:
        yield (
            f"{inputs.table.contributors[outlier.owner]} has few, unusual images of high value "
            f"({outlier.ratio:.3g} times the median for each image). Rare work looks like this, "
            "and so do images made to inflate a value: look at them, and retrain without them."
        )


def _proxy(inputs: ReportInputs, proxy: Sequence[ProxyResidual]) -> Iterator[str]:
    name = property_words(inputs.headline.property).name
    for found in proxy:
        if found.flagged:
            less = "less" if found.effect < 0 else "more"
            yield (
                f"Retraining gives {inputs.table.contributors[found.player]} {less} than these "
                f"measurements predict: by {abs(found.effect):.3g} of {name}, standard error "
                f"{found.standard_error:.2g}, over {found.coalitions} retrained groups. Their "
                "payout rests on the way of measuring."
            )


def _disputed(inputs: ReportInputs) -> Iterator[str]:
    if inputs.submissions is None or not inputs.submissions.clusters:
        return
    held = [record.owner for record in inputs.submissions.owners if record.disputed_share]
    pictures = inputs.submissions.clusters
    first = (
        f"{pictures} {'picture was' if pictures == 1 else 'pictures were'} submitted "
        "by several owners"
    )
    if held:
        yield f"{first}; who registered them first is not known, so money of {_list(held)} is held."
    else:
        yield f"{first}; whoever registered them first keeps them."


def _other_studies(inputs: ReportInputs) -> Iterator[str]:
    if inputs.others:
        count = len(inputs.others)
        yield (
            f"{count} other {'study was' if count == 1 else 'studies were'} made on "
            "the same data. Whoever can choose among studies can choose who is paid: compare them "
            "below."
        )


def _list(names: list[str], most: int = 5) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
