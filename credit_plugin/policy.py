"""A payout policy before the study: in plain words, against the data, with the hash to agree on."""

from collections.abc import Iterator
from typing import Any

from credit_plugin.compensation.commitment import policy_of, sha256_of_policy
from credit_plugin.compensation.policy_words import policy_lines
from credit_plugin.config import Study
from credit_plugin.contributors.intake import Submissions, take_in
from credit_plugin.contributors.sources import load_contributors
from credit_plugin.study import check_study


def read_policy(study: Study) -> Iterator[str]:
    """Yield what a policy says and who plays by it, line by line.

    Raises:
        InputError: If the policy cannot be kept, or does not fit the data.
    """
    from credit_plugin.properties.suite import directions

    intake = take_in(load_contributors(study.data, study.seed), study.compensation)
    check_study(study, intake.dataset)
    policy = policy_of(study, directions(study.properties))
    lines = policy_lines(_as_facts(study))
    width = max(len(term) for term, _ in lines)
    for term, words in lines:
        yield f"{term:<{width}}  {words}"
    yield ""
    yield from _players(intake.submissions)
    yield ""
    yield f"sha256 of this policy: {sha256_of_policy(policy)}"


def _as_facts(study: Study) -> dict[str, Any]:
    """Return what a report would say of the policy, which nobody has written down yet."""
    return {
        "settings": study.model_dump(mode="json"),
        "currency": study.compensation.currency,
        "property": study.properties.headline,
        "baseline": study.game.baseline,
        "commitment": None,
    }


def _players(submissions: Submissions) -> Iterator[str]:
    playing = [record for record in submissions.owners if record.accepted]
    images = sum(record.accepted for record in playing)
    yield f"{len(playing)} owners play with {images:,} images"
    for record in submissions.owners:
        notes = [f"{count:,} {fate}" for fate, count in record.fates.items()]
        if record.names != (record.owner,):
            notes.append(f"as {', '.join(record.names)}")
        if notes:
            yield f"  {record.owner}: {record.accepted:,} accepted; {'; '.join(notes)}"
