"""The last phase: report, plots and pictures, published on the study's run and as a version."""

import hashlib
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from credit_plugin.compensation.commitment import FILE as COMMITMENTS
from credit_plugin.compensation.commitment import read_commitments
from credit_plugin.compensation.interactions_plot import interactions_plot
from credit_plugin.compensation.plots import convergence_plot, samples_plot, values_plot
from credit_plugin.compensation.rendering import escape_markdown
from credit_plugin.compensation.report import ReportInputs, read_facts, write_report
from credit_plugin.compensation.wording import baseline_words, property_words
from credit_plugin.contributors.unusual import distances
from credit_plugin.fidelity.figures import agreement_figure, counterfactual_figure, lds_figure
from credit_plugin.fidelity.result import RECORD, TABLE, FidelityResult
from credit_plugin.fidelity.verdict import verdict
from credit_plugin.values import interactions
from credit_plugin.versions import versions_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from credit_plugin.session import Session
    from credit_plugin.values import ContributorValues

PACKAGES = ("credit_plugin", "torch", "diffusers", "torch-pruning", "numpy", "scipy", "mlflow")
THUMBNAIL_PIXELS = 48


def publish_report(session: "Session") -> Path:
    """Write the report, log it with plots and pictures, publish it, and return its folder."""
    tracker, folders = session.tracker, session.folders
    headline = session.estimates[session.study.properties.headline]
    write_report(_inputs(session), folders.report)
    facts = read_facts(folders.report)
    tracker.log_artifacts(folders.report)
    plots = _log_plots(session, headline)
    tracker.log_previews(folders.previews)
    session.published["values"] = tracker.publish_values(
        folders.report,
        _content(folders.report, facts["commitment"]["policy_sha256"]),
        session.published.get("full"),
        session.published.get("pruned"),
    )
    tracker.tag(
        {
            "credit.status": facts["status"],
            "credit.paid_by": facts["gate"]["paid_by"],
            "credit.policy_sha256": facts["commitment"]["policy_sha256"],
            "credit.statements_root": facts["statements"]["root"],
        },
        session.published["values"],
    )
    if session.fidelity_result is not None:
        own = session.fidelity_result.metrics(rivals=False)
        tracker.log_version_metrics(session.published["values"], own)
    tracker.describe(
        _story(session, headline),
        artifacts={"report": "report.html", **plots, **_tables(session)},
        ascending=session.directions[headline.property] < 0,
    )
    return folders.report


def _log_plots(session: "Session", headline: "ContributorValues") -> dict[str, str]:
    """Log every plot for which there is something to show, and return artifacts by name."""
    baseline = baseline_words(session.study.game.baseline)
    figures = {"values": values_plot(headline, baseline)}
    panels = _log_pictures(session, headline)
    if panels:
        title = "What the models generate from the same initial noise"
        figures["samples"] = samples_plot(panels, title)
    if session.convergence:
        steps = [step for step, _ in session.convergence]
        history = np.array([values.values for _, values in session.convergence])
        figures["convergence"] = convergence_plot(steps, history, headline, baseline=baseline)
    if session.study.values.interactions:
        figures["interactions"] = _interactions_plot(session)
    if session.fidelity_result is not None:
        figures |= _fidelity_figures(session.fidelity_result)
    artifacts = {name: f"plots/{name}.png" for name in figures}
    for name, figure in figures.items():
        session.tracker.log_figure(figure, artifacts[name])
    return artifacts


def _fidelity_figures(result: FidelityResult) -> "dict[str, Figure]":
    """Return one figure for each question of a check that can be answered."""
    drawn = {
        "fidelity": lds_figure(result),
        "counterfactuals": counterfactual_figure(result),
        "agreement": agreement_figure(result),
    }
    return {name: figure for name, figure in drawn.items() if figure is not None}


def _tables(session: "Session") -> dict[str, str]:
    return {} if session.fidelity_result is None else {"methods compared": TABLE}


def _interactions_plot(session: "Session") -> "Figure":
    study, table = session.study, session.table
    assert table is not None  # the values phase has run
    found = interactions(
        table,
        study.seed,
        property=study.properties.headline,
        confidence=study.values.confidence,
    )
    return interactions_plot(found)


def _inputs(session: "Session") -> ReportInputs:
    study, dataset, table = session.study, session.dataset, session.table
    assert table is not None  # the values phase has run
    evaluations = session.evaluations()
    facts = session.facts
    return ReportInputs(
        study=study,
        created=datetime.now(UTC).replace(microsecond=0),
        values=session.estimates,
        directions=session.directions,
        table=table,
        image_counts=dataset.counts,
        attribution=dataset.attribution,
        licences=dataset.licences,
        dataset_name=dataset.name,
        dataset_digest=dataset.digest(),
        contributor_digests=dataset.contributor_digests(),
        models={kind: f"{m.name}/{m.version}" for kind, m in session.published.items()},
        full_model_properties=facts.get("full", {}).get("properties", {}),
        pruned_model_properties=facts.get("pruned", {}).get("properties", {}),
        baselines=_baselines(session),
        costs={
            **{kind: sum(f["costs"].values()) for kind, f in facts.items()},
            "coalitions": sum(sum(e.costs.values()) for e in evaluations),
            **session.retrainings.costs(),
        },
        lost=session.lost(),
        stopped=session.stopped,
        reliability=session.reliability,
        retrained=session.retrained_table,
        fidelity=session.fidelity_result,
        versions=versions_of(PACKAGES),
        thumbnails=_thumbnails(session),
        submissions=session.intake.submissions,
        decisions=session.intake.decisions,
        commitments=tuple(read_commitments(session.folders.table / COMMITMENTS)),
        distances=distances(dataset),
        others=tuple(session.tracker.other_studies(dataset.digest())),
    )


def _baselines(session: "Session") -> dict[str, float]:
    """Return oriented v(empty) of the headline under every baseline that can be stated."""
    name = session.study.properties.headline
    empty = [e for e in session.evaluations() if e.ok and "1" not in e.coalition]
    untrained = float(np.mean([e.properties[name] for e in empty])) * session.directions[name]
    baselines = {"untrained": untrained, "zero": 0.0}
    if isinstance(session.study.game.baseline, float):
        baselines["number"] = session.study.game.baseline
    return baselines


def _log_pictures(
    session: "Session", headline: "ContributorValues"
) -> list[tuple[str, str, np.ndarray]]:
    """Log samples of three coalitions, and return them and the models' as panels of a plot.

    A design need not hold the coalition without the top contributor nor the top contributor
    alone; the largest evaluated coalition without and the smallest one with it stand for them.
    The models' own pictures were logged with the models.
    """
    name, n, previews = headline.property, len(headline.contributors), session.folders.previews
    panels = [
        (f"{kind} model", facts["properties"][name], previews / f"{kind}.png")
        for kind, facts in session.facts.items()
    ]
    evaluated = {e.coalition: e for e in session.evaluations() if e.ok and e.repeat == 0}
    for what, bits in _telling_coalitions(headline, list(evaluated)).items():
        path = previews / f"{session.folders.coalition_key(bits, 0)}.png"
        if path.exists():
            session.tracker.log_image(f"images/{what}.png", path)
        title = f"{what} ({bits.count('1')} of {n})"
        panels.append((title, evaluated[bits].properties[name], path))
    words = property_words(name).name
    return [
        (title, f"{words}: {measured:z.3g}", _pixels(path))
        for title, measured, path in panels
        if path.exists()
    ]


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def _telling_coalitions(headline: "ContributorValues", evaluated: list[str]) -> dict[str, str]:
    top = int(np.argmax(headline.values))
    without = [bits for bits in evaluated if bits[top] == "0"]
    including = [bits for bits in evaluated if bits[top] == "1"]
    chosen = {
        "everybody": "1" * len(headline.contributors),
        "without the top contributor": max(without, key=lambda bits: bits.count("1"), default=""),
        "with the top contributor": min(including, key=lambda bits: bits.count("1"), default=""),
    }
    return {what: bits for what, bits in chosen.items() if bits in evaluated}


def _thumbnails(session: "Session") -> dict[str, bytes]:
    """Return one small PNG for each contributor: the first of their images."""
    dataset = session.dataset
    thumbnails = {}
    for index, name in enumerate(dataset.contributors):
        pixels = dataset.images[int(np.flatnonzero(dataset.contributor == index)[0])]
        picture = Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)
        size = (THUMBNAIL_PIXELS, THUMBNAIL_PIXELS)
        buffer = BytesIO()
        picture.resize(size, Image.Resampling.NEAREST).save(buffer, "PNG")
        thumbnails[name] = buffer.getvalue()
    return thumbnails


def _content(folder: Path, policy_sha256: str) -> str:
    """Return what identifies a report: the hash of its numbers, whenever it was written."""
    digest = hashlib.sha256(policy_sha256.encode())
    for name in ("values.csv", "payouts.csv", "coalitions.csv", "retrainings.csv", RECORD):
        if (folder / name).exists():
            digest.update((folder / name).read_bytes())
    return digest.hexdigest()[:16]


def _checked(session: "Session") -> str:
    """Return the verdict of a check against retraining as a line of Markdown, if there is one."""
    if session.fidelity_result is None:
        return ""
    found = verdict(session.fidelity_result)
    warning = f" **{escape_markdown(found.warning)}**" if found.warning else ""
    return f"Checked against retraining: {escape_markdown(found.statement)}{warning}  \n"


def _story(session: "Session", headline: "ContributorValues") -> str:
    """Return lines of Markdown: what was found, who made it, which models it rests on."""
    study = session.study
    ranked = np.argsort(-headline.values)
    top = [headline.contributors[i] for i in ranked[:3]]
    shares = headline.shares()
    named = ", ".join(
        f"**{escape_markdown(c)}** {shares[i]:.0%}" for c, i in zip(top, ranked, strict=False)
    )
    lost = f" {len(session.lost())} evaluations were lost." if session.lost() else ""
    made = f"{len(session.plan)} evaluations of coalitions"
    if session.stopped:
        made = f"Coalitions: {escape_markdown(session.stopped)}"
    links = " · ".join(
        f"[{m.name} v{m.version}](#/models/{m.name}/versions/{m.version})"
        for m in session.published.values()
    )
    direction = session.directions[headline.property]
    lower = " (lower is better)" if direction < 0 else ""
    empty, full = headline.v_empty * direction, headline.v_full * direction
    return (
        f"**{headline.property}** of {study.name}{lower}: {empty:z.3g} with "
        f"nobody (baseline: {baseline_words(study.game.baseline)}), "
        f"{full:z.3g} with all {len(headline.contributors)} contributors.  \n"
        f"Largest shares: {named}. {made}.{lost}  \n{_checked(session)}"
        f"Models: {links}{_review_pages(session)}"
    )


def _review_pages(session: "Session") -> str:
    """Return a link to the pages that a server has which ``credit ui`` started."""
    values = session.published.get("values")
    if values is None:
        return ""
    address = f"credit/version?name={values.name}&version={values.version}"
    return f" · [review pages]({address}), if `credit ui` started this server"
