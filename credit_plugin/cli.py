"""The command line: parses, calls, prints. Nothing is computed here.

Exit codes: 0 success, 1 the work failed, 2 the input cannot be used (one line for each reason),
130 interrupted after everything finished was saved.
"""

import gc
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from credit_plugin.cli_review import review
from credit_plugin.errors import InputError, StudyFailedError
from credit_plugin.interrupts import interruptible

if TYPE_CHECKING:
    from credit_plugin.config import Study

WORKDIR = "credit_studies"


class CreditGroup(click.Group):
    """A group whose commands turn the package's errors into exit codes and single lines."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; map errors to exit codes."""
        try:
            with interruptible():
                return super().invoke(ctx)
        except InputError as error:
            _leave(2, *(f"error: {line}" for line in str(error).splitlines()))
        except StudyFailedError as error:
            _leave(1, f"failed: {error}")
        except KeyboardInterrupt:
            _leave(
                130,
                "Interrupted. Everything finished is saved; the same command goes on from there.",
            )


def study_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that choose a study and where it is kept."""
    options = [
        click.option("--preset", metavar="NAME", help="Start from this preset (credit presets)."),
        click.option("--config", metavar="FILE", help="Read this study file (YAML)."),
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="A.B=C",
            help="Override one setting; may be repeated.",
        ),
        click.option(
            "--overrides",
            default="",
            metavar="'A.B=C D=E'",
            help="Several overrides in one argument, as MLproject passes them.",
        ),
        click.option("--tracking-uri", metavar="URI", help="MLflow tracking URI."),
        click.option("--experiment", metavar="NAME", help="MLflow experiment."),
        click.option(
            "--workdir",
            default=WORKDIR,
            envvar="CREDIT_WORKDIR",
            show_default=True,
            show_envvar=True,
            type=click.Path(file_okay=False, path_type=Path),
            help="Folder for models, ledgers and reports.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group(cls=CreditGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="credit_plugin")
def main() -> None:
    """Credit the data contributors of a diffusion model with Shapley values.

    \b
    Example:
      credit run --preset designers
    """  # noqa: D301 - click reads this control character
    # libraries make a million objects and no garbage while they load: a sixth of that time
    gc.set_threshold(100_000, 20, 20)


def _study_command(
    name: str,
    act: Callable[..., None],
    summary: str,
    example: str,
    shortcuts: dict[str, str],
) -> click.Command:
    """Return a command that does something with a study.

    Args:
        name: Of the command.
        act: Called with the study, ``workdir``, ``tracking_uri`` and ``experiment``.
        summary: First lines of its help.
        example: Command line shown in its help.
        shortcuts: Options of its own and the settings that they stand for.
    """

    def run(
        preset: str | None,
        config: str | None,
        settings: tuple[str, ...],
        overrides: str,
        tracking_uri: str | None,
        experiment: str | None,
        workdir: Path,
        **given: str,
    ) -> None:
        from credit_plugin.config import load_study

        named = {option.replace("_", "-"): value for option, value in given.items() if value}
        own = [f"{shortcuts[option]}={value}" for option, value in named.items()]
        study = load_study(preset or None, config or None, (*_split(overrides), *settings, *own))
        act(
            study,
            workdir=workdir,
            tracking_uri=tracking_uri or None,
            experiment=experiment or None,
        )

    run.__doc__ = f"{summary}\n\n\b\nExample:\n  {example}"
    command: Callable[..., None] = run
    for option, setting in shortcuts.items():
        command = click.option(f"--{option}", default="", help=f"Short for --set {setting}.")(
            command
        )
    return click.command(name=name)(study_options(command))


def _run_until(phase: str, fidelity: bool = False) -> Callable[..., None]:
    """Return what runs a study to the end of a phase and prints what it found."""

    def act(study: "Study", *, tracking_uri: str | None, **where: Any) -> None:
        from credit_plugin.study import run_study
        from credit_plugin.summary import print_summary

        found = run_study(study, until=phase, fidelity=fidelity, tracking_uri=tracking_uri, **where)
        print_summary(found, tracking_uri)

    return act


def _tune(study: "Study", **where: Any) -> None:
    from credit_plugin.tuning.run import run_tuning
    from credit_plugin.tuning.terminal import print_tuning

    print_tuning(*run_tuning(study, **where))


def _policy(study: "Study", **where: Any) -> None:
    from credit_plugin.policy import read_policy

    for line in read_policy(study):
        click.echo(line)


for _name, _act, _summary, _example, _shortcuts in (
    (
        "run",
        _run_until("report"),
        "Run a whole study, or go on with it: train, prune, coalitions, values, report.",
        "credit run --preset designers --stop 'interval_width(0.5) | time(600)'",
        {"stop": "game.stop"},
    ),
    (
        "train",
        _run_until("train"),
        "Train the full model of a study.",
        "credit train --preset digits",
        {},
    ),
    (
        "prune",
        _run_until("prune"),
        "Prune the full model and let it recover.",
        "credit prune --preset digits --ratio 0.4",
        {"ratio": "pruning.ratio"},
    ),
    (
        "coalitions",
        _run_until("coalitions"),
        "Evaluate the coalitions that a study still lacks.",
        "credit coalitions --preset digits --budget 64",
        {"budget": "game.budget", "stop": "game.stop"},
    ),
    (
        "values",
        _run_until("values"),
        "Estimate the contributors' values from the coalitions.",
        "credit values --preset digits --estimator kernelshap_paper",
        {"estimator": "values.estimator"},
    ),
    (
        "report",
        _run_until("report"),
        "Write and publish the compensation report.",
        "credit report --preset digits --pool 2500 --currency USD",
        {"pool": "compensation.pool", "currency": "compensation.currency"},
    ),
    (
        "fidelity",
        _run_until("report", fidelity=True),
        "Check values against retraining, beside rival methods.\n\n"
        "Runs the study first, or goes on with it. Retrainings are kept: a later check with\n"
        "more of them, or an interrupted one, makes only those that are missing.",
        "credit fidelity --preset digits --coalitions 40 --seeds 2 --alphas 0.5",
        {
            "coalitions": "fidelity.coalitions",
            "seeds": "fidelity.seeds",
            "alphas": "fidelity.alphas",
            "methods": "fidelity.methods",
        },
    ),
    (
        "policy",
        _policy,
        "Read a payout policy in plain words, with its hash, before anything is trained.\n\n"
        "Checks it against the data: who plays with what, and whether its sums can be kept.",
        "credit policy --preset designers --set compensation.policy=policy.yaml",
        {"pool": "compensation.pool", "currency": "compensation.currency"},
    ),
    (
        "tune",
        _tune,
        "Search for pruning and fine-tuning that follow retraining at the least cost.\n\n"
        "Retrains some coalitions once, tries settings (Optuna), chooses by a stated rule, checks\n"
        "the choice on coalitions that no trial has seen, and writes a study file. An interrupted\n"
        "search goes on; several processes with the same command share its trials.",
        "credit tune --preset digits --trials 30",
        {
            "trials": "tuning.trials",
            "reference": "tuning.coalitions",
            "cost-limit": "tuning.cost_limit",
            "storage": "tuning.storage",
        },
    ),
):
    main.add_command(_study_command(_name, _act, _summary, _example, _shortcuts))


main.add_command(review)


@main.command()
@click.argument("table")
@click.option("--estimator", metavar="NAME", help="Registered estimator.  [default: auto]")
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="Setting of the estimator; may be repeated.",
)
@click.option(
    "--property",
    "properties",
    multiple=True,
    metavar="NAME",
    help="Property to estimate from; may be repeated.  [default: all in the table]",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the resamples."
)
@click.option("--confidence", default=0.95, show_default=True, help="Level of the intervals.")
@click.option("--resamples", default=400, show_default=True, help="Resamples behind intervals.")
@click.option("--interactions", is_flag=True, help="Estimate interactions of pairs too.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder to write; replaced only if it is from an earlier estimate.",
)
@click.option("--tracking-uri", metavar="URI", help="MLflow tracking URI, to read a run's table.")
def estimate(
    table: str,
    estimator: str | None,
    options: tuple[str, ...],
    properties: tuple[str, ...],
    seed: int,
    confidence: float,
    resamples: int,
    interactions: bool,
    out: Path | None,
    tracking_uri: str | None,
) -> None:
    """Estimate contributors' values from any utility table, without training.

    TABLE is a file that ends in .csv or .parquet, or the id of an MLflow run (its artifact
    coalitions.csv). It has one row for each evaluation: a column of 0 and 1 for each contributor,
    the column utility (higher is better), and if there are several, property, seed, repeat and
    weight. The coalitions of nobody and of everybody must be among the rows.

    \b
    Example:
      credit estimate coalitions.csv --estimator regression_adjusted --out values/
      credit estimate 3f0c9a5be2d14c6fa7d8e1b2c3d4e5f6 --property colourfulness
    """  # noqa: D301 - click reads this control character
    from credit_plugin.estimating import EstimateSettings, run_estimate
    from credit_plugin.estimating.terminal import print_estimation
    from credit_plugin.values.estimation import DEFAULT

    settings = EstimateSettings(
        estimator=estimator or DEFAULT,
        options=options,
        properties=properties,
        seed=seed,
        confidence=confidence,
        resamples=resamples,
        interactions=interactions,
    )
    print_estimation(run_estimate(table, settings, out, tracking_uri or None))


@main.command()
@click.argument("source")
@click.option("--tracking-uri", metavar="URI", help="MLflow tracking URI, for a version.")
def verify(source: str, tracking_uri: str | None) -> None:
    """Compute a report again, or check a payee's statement, and say what does not match.

    SOURCE is a report's folder, a registered version of values, or the .json file of a statement.
    Exit code 0 if everything matches, 1 with a list of what does not.

    \b
    Example:
      credit verify models:/designers.values/latest
    """  # noqa: D301 - click reads this control character
    from credit_plugin.verifying import verify as check_again

    found = check_again(source, tracking_uri or None)
    for line in found.complaints:
        click.echo(f"does not match: {line}")
    for line in found.matches:
        click.echo(f"ok  {line}")
    if found.complaints:
        sys.exit(1)


@main.command()
@click.argument("source")
@click.option("--owner", "owners", multiple=True, metavar="NAME", help="Whose; may be repeated.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder to write to.",
)
@click.option("--tracking-uri", metavar="URI", help="MLflow tracking URI, for a version.")
def statement(source: str, owners: tuple[str, ...], out: Path, tracking_uri: str | None) -> None:
    """Write payees' statements, each with a proof that it is among the sealed ones.

    SOURCE is a report's folder or a registered version of values. Without --owner everybody's
    statement is written: HTML and Markdown to read, JSON to verify.

    \b
    Example:
      credit statement models:/designers.values/latest --owner 'Micah Lanier' --out statements/
    """  # noqa: D301 - click reads this control character
    from credit_plugin.verifying import write_payees_statements

    count = write_payees_statements(source, out, owners, tracking_uri or None)
    click.echo(f"{count} {'statement' if count == 1 else 'statements'} in {out}")


@main.command()
def presets() -> None:
    """List the presets with what each needs.

    \b
    Example:
      credit presets
    """  # noqa: D301 - click reads this control character
    from credit_plugin.config import load_study, preset_names

    names = preset_names()
    width = max(map(len, names))
    for name in names:
        study = load_study(name)
        for text, lead in ((study.description, name), (f"needs {study.needs}", "")):
            indents = f"{lead:<{width}} ", " " * (width + 1)
            columns = max(60, min(shutil.get_terminal_size().columns, 100))
            click.echo(click.wrap_text(text, columns, *indents))


@main.group()
def data() -> None:
    """Look after contributor datasets.

    \b
    Example:
      credit data check photos/ --image-size 32
    """  # noqa: D301 - click reads this control character


@data.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--image-size", type=int, help="Warn about images smaller than this.")
@click.option("--min-images", default=2, show_default=True, help="Fewest images of a contributor.")
def check(path: Path, image_size: int | None, min_images: int) -> None:
    """Say everything that is wrong with a folder of images, all at once.

    Exit code 2 if something cannot be used, 0 if there are warnings at most.

    \b
    Example:
      credit data check photos/
    """  # noqa: D301 - click reads this control character
    from credit_plugin.contributors.check import check_folder, render_findings

    findings = check_folder(path, image_size, min_images)
    for line in render_findings(findings):
        click.echo(line)
    if any(finding.severity == "error" for finding in findings):
        sys.exit(2)


@main.command()
@click.option("--tracking-uri", metavar="URI", help="Database of the MLflow tracking store.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", default=5000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--auth", is_flag=True, help="Ask for names and passwords (MLflow's basic auth).")
@click.option("--prefix", default="", metavar="/PATH", help="Serve everything below this path.")
def ui(tracking_uri: str | None, host: str, port: int, auth: bool, prefix: str) -> None:
    """Start the MLflow server with the review pages at /credit.

    \b
    Example:
      credit ui --tracking-uri sqlite:///mlflow.db --port 5000
    """  # noqa: D301 - click reads this control character
    from credit_plugin.plugin.server.command import server_command, start

    command, environment = server_command(tracking_uri or None, host, port, auth, prefix)
    click.echo(f"http://{host}:{port}{prefix}/credit")
    if auth:
        from credit_plugin.compensation.review.signing import public_of
        from credit_plugin.plugin.server.access import server_key

        click.echo(
            f"key of this server, for compensation.review.servers: {public_of(server_key())}"
        )
    start(command, environment)


@main.command()
@click.option("--tracking-uri", metavar="URI", help="MLflow tracking URI to look at.")
def doctor(tracking_uri: str | None) -> None:
    """Check this installation and say what to do about what is wrong.

    Packages, GPU, disk, memory, tracking store, extras and networks. Nothing is changed. Exit code
    1 if something is wrong (FIX); notes are about what some studies need.

    \b
    Example:
      credit doctor
    """  # noqa: D301 - click reads this control character
    from credit_plugin.doctor import diagnose
    from credit_plugin.doctor.terminal import print_findings

    if not print_findings(diagnose(tracking_uri or None)):
        sys.exit(1)


def _split(overrides: str) -> list[str]:
    """Split ``a.b=c d=e`` at spaces that start another override; after a comma none starts."""
    starts = r"(?<![,\s])\s+(?=[A-Za-z_][\w.]*=)"
    return [part for part in re.split(starts, overrides.strip()) if part]


def _leave(code: int, *lines: str) -> NoReturn:
    for line in lines:
        click.echo(line, err=True)
    sys.exit(code)
