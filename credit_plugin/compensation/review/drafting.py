"""The next line of a ledger, from what somebody wants to do."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from credit_plugin.compensation.review.actions import ACTIONS, SCOPE
from credit_plugin.compensation.review.entries import Entry
from credit_plugin.compensation.review.states import RefusedError, Review


def draft_entry(
    review: Review,
    action: str,
    actor: str,
    comment: str,
    details: Mapping[str, Any] | None = None,
    identity: str = "",
    now: datetime | None = None,
) -> Entry:
    """Return the entry that would come next; whether it is allowed is not looked at.

    Args:
        review: Where the review stands.
        action: What is done.
        actor: Name of who does it.
        comment: Why.
        details: What the action needs beside that.
        identity: What verified the name; empty if nothing did.
        now: In UTC; the clock's time if left out.

    Raises:
        RefusedError: If there is no such action.
    """
    if action not in ACTIONS:
        raise RefusedError(f"action: there is no {action!r}; there are {', '.join(ACTIONS)}")
    moment = (now or datetime.now(UTC)).replace(microsecond=0)
    return Entry(
        number=len(review.entries) + 1,
        previous=review.head,
        subject=review.case.subject,
        action=action,
        at=moment.isoformat(),
        actor=" ".join(actor.split()),
        meaning=ACTIONS[action].meaning,
        scope=SCOPE,
        comment=comment.strip(),
        details=dict(details or {}),
        identity=identity,
    )
