"""A ledger and its mirrors, checked: what was edited, dropped, moved or forged is named.

The ledger is kept in two places, as parameters of the review's run, which MLflow lets nobody
change, and as a file beside the report; state and head of it are mirrored as tags of the version,
and the alias ``approved`` names a version that is final. The places are compared with each other,
and each line with the rules under which it was admitted.
"""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from credit_plugin.compensation.review.actions import replay
from credit_plugin.compensation.review.case import Case
from credit_plugin.compensation.review.entries import read_ledger
from credit_plugin.compensation.review.states import Review, State, begin

TAG_STATE, TAG_HEAD, TAG_LINES = "credit.review", "credit.review_head", "credit.review_lines"
APPROVED_ALIAS = "approved"
PAYABLE = frozenset({State.FINAL, State.PAID})


def check_ledger(case: Case, lines: Sequence[str]) -> tuple[Review, list[str]]:
    """Return where a ledger leads, and a sentence for each fault in it.

    Args:
        case: What it is about.
        lines: Oldest first.
    """
    entries, faults = read_ledger(lines, case.subject)
    if faults:
        return begin(case), faults
    return replay(begin(case), entries)


def compare_copies(kept: Sequence[str], copied: Sequence[str]) -> list[str]:
    """Return what differs between the ledger in the store and the file beside the report."""
    faults = []
    for number, (own, other) in enumerate(zip_longest(kept, copied), start=1):
        if own == other:
            continue
        if other is None:
            faults.append(f"line {number} of the ledger is missing in the file beside the report")
        elif own is None:
            faults.append(f"line {number} of the file beside the report is not in the store")
        else:
            faults.append(
                f"line {number} of the file beside the report is another than in the store"
            )
    return faults


def mirrored_tags(review: Review) -> dict[str, str]:
    """Return the tags that a version carries for its review."""
    return {
        TAG_STATE: review.state.value,
        TAG_HEAD: review.head,
        TAG_LINES: str(len(review.entries)),
    }


def check_mirrors(review: Review, tags: Mapping[str, str], aliases: Sequence[str]) -> list[str]:
    """Return what tags and alias of a version say that its ledger does not.

    Args:
        review: Where the ledger leads.
        tags: Of the version.
        aliases: That name this version.
    """
    faults = [
        f"tag {name} says {tags.get(name, 'nothing')!r}; the ledger says {value!r}"
        for name, value in mirrored_tags(review).items()
        if tags.get(name) != value and (review.entries or name in tags)
    ]
    named, payable = APPROVED_ALIAS in aliases, review.state in PAYABLE
    if named and not payable:
        faults.append(
            f"alias {APPROVED_ALIAS} names this version, which is {review.state.value}, not final"
        )
    return faults
