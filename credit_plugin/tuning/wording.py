"""What a search found, in words: for the terminal, the run's description and the study file."""

from credit_plugin.compensation.wording import duration, fixed, percent, plain
from credit_plugin.config import Study, dump_study
from credit_plugin.fidelity.resampling import Interval
from credit_plugin.tuning.result import CHOSEN, TuningResult
from credit_plugin.tuning.selection import complete_trials, rule_in_words
from credit_plugin.tuning.trial import FAILED, STOPPED, Trial

UNITS = (("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6))


def flops_words(flops: float) -> str:
    """Return a count of operations, ``12.4 GFLOP``."""
    for letter, size in UNITS:
        if flops >= size:
            return f"{flops / size:.3g} {letter}FLOP"
    return f"{flops:.3g} FLOP"


def cost_words(trial: Trial) -> str:
    """Return what a coalition costs, ``1.9 s, 12.4 GFLOP``."""
    return f"{trial.seconds:.2g} s, {flops_words(trial.flops)}"


def short(value: object) -> str:
    """Return a setting with as many digits as tell it from others."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def changes(result: TuningResult) -> dict[str, tuple[object, object]]:
    """Return by setting the study's own value and the chosen one, where they differ."""
    own = next(trial.parameters for trial in result.trials if trial.own)
    chosen = result.trial(result.chosen).parameters
    return {k: (own.get(k), v) for k, v in chosen.items() if own.get(k) != v}


def findings(result: TuningResult) -> list[str]:
    """Return one sentence for each thing that was found."""
    return [
        _choice(result),
        _held_out(result),
        _own(result),
        _trials(result),
        _work(result),
    ]


def description(result: TuningResult) -> str:
    """Return the description of the tuning run, Markdown."""
    table = ["| setting | the study's own | chosen |", "|:---|---:|---:|"]
    table += [
        f"| {name} | {short(old)} | {short(new)} |" for name, (old, new) in changes(result).items()
    ]
    return "\n".join(
        [
            f"**{result.study}: which pruning and fine-tuning follow retraining at least cost**",
            "",
            *(f"- {sentence}" for sentence in findings(result)),
            "",
            *(table if len(table) > 2 else ["Nothing is changed."]),
            "",
            f"The chosen settings are the artifact `tuning/{CHOSEN}`: "
            f"`credit run --config {CHOSEN}`.",
        ]
    )


def study_file(chosen: Study, result: TuningResult) -> str:
    """Return the study file of the chosen settings, with where they are from."""
    comment = [f"# {sentence}" for sentence in findings(result)[:3]]
    return "\n".join([*comment, dump_study(chosen)])


def version_tags(result: TuningResult, run_id: str) -> dict[str, str]:
    """Return the tags of the pruned model that was chosen."""
    chosen = result.trial(result.chosen)
    tags = {
        "credit.tuning.run": run_id,
        "credit.tuning.trial": str(chosen.number),
        "credit.tuning.rule": rule_in_words(result.settings),
        "credit.tuning.fidelity": f"{chosen.fidelity:.4f}",
        "credit.tuning.held_out_fidelity": f"{result.held_out[chosen.number].found.value:.4f}",
        "credit.tuning.cost_seconds": f"{chosen.seconds:.4g}",
        "credit.tuning.cost_flops": f"{chosen.flops:.4g}",
    }
    return tags


def _choice(result: TuningResult) -> str:
    chosen = result.trial(result.chosen)
    kind = "Pearson" if result.settings.fidelity == "pearson" else "Spearman"
    return (
        f"Trial {chosen.number} is chosen, {rule_in_words(result.settings)}: v(S) of the "
        f"{plain(result.property)} follows retraining at {kind} {fixed(chosen.fidelity, 2)} "
        f"(standard error {fixed(chosen.error, 2)}; {fixed(result.expected[chosen.number], 2)} is "
        f"to be expected of such settings; {result.coalitions} coalitions of {result.size} "
        f"contributors), at {cost_words(chosen)} a coalition."
    )


def _held_out(result: TuningResult) -> str:
    found = result.held_out[result.chosen].found
    return (
        f"On {result.kept_back} coalitions that no trial has seen it is {fixed(found.value, 2)} "
        f"({fixed(found.low, 2)} to {fixed(found.high, 2)})."
    )


def _own(result: TuningResult) -> str:
    own = result.own
    if own is None:
        reason = next(trial.reason for trial in result.trials if trial.own)
        return f"The study's own settings were not evaluated whole: {reason}."
    on_front = own in result.front
    if own.number == result.chosen:
        if on_front:
            return (
                "These are the study's own settings, which are on the Pareto front: nothing that "
                "was tried is better at no more cost."
            )
        return (
            "These are the study's own settings: some that cost no more have measured higher, but "
            "of none of them more is to be expected."
        )
    unit = result.settings.cost
    ratio = result.trial(result.chosen).cost(unit) / own.cost(unit)
    held = result.held_out[own.number].found.value
    front = "which are on the Pareto front" if on_front else "which others dominate"
    return (
        f"The study's own settings, {front}, reach {fixed(own.fidelity, 2)}, and "
        f"{fixed(held, 2)} on the coalitions that no trial has seen, at {cost_words(own)}. The "
        f"chosen ones cost {percent(ratio, 0)} of that; on the unseen coalitions they are "
        f"{_lead(result.lead)}."
    )


def _lead(lead: Interval | None) -> str:
    assert lead is not None  # both were evaluated
    words = "ahead" if lead.low > 0 else "behind" if lead.high < 0 else "as good within the noise"
    interval = f"{fixed(lead.low, 2, sign=True)} to {fixed(lead.high, 2, sign=True)}"
    return f"{words}, {fixed(lead.value, 2, sign=True)} ({interval})"


def _trials(result: TuningResult) -> str:
    states = [trial.state for trial in result.trials]
    parts = [f"{len(complete_trials(result.trials))} of {len(states)} trials were evaluated whole"]
    for state, words in ((STOPPED, "stopped early"), (FAILED, "failed")):
        if state in states:
            parts.append(f"{states.count(state)} {words}")
    return f"{', '.join(parts)}."


def _work(result: TuningResult) -> str:
    complete = len(complete_trials(result.trials))
    return (
        f"Work, summed over workers: retrainings {duration(result.reference_seconds)}, trials "
        f"{duration(result.spent)}; if no trial had used what another made, "
        f"{duration(result.alone)}; {complete} whole studies, "
        f"{duration(result.whole_studies)}."
    )
