"""The review of one report: what was signed, what is contested, and what can be done now."""

from dataclasses import dataclass

from flask import Response

from credit_plugin.compensation.review.actions import ACTIONS, CHECKLIST, LONGEST_TEXT, barring
from credit_plugin.compensation.review.states import RefusedError, is_verified, key_of
from credit_plugin.compensation.review.tranches import payments_due
from credit_plugin.plugin.server.access import User, current_user, may_change
from credit_plugin.plugin.server.arguments import argument
from credit_plugin.plugin.server.shared import asked_docket, catalogue
from credit_plugin.plugin.server.templating import page
from credit_plugin.reviewing import Docket, Request, replaceable

_TITLES = {
    "submit": "Submit for review",
    "approve": "Approve",
    "request_changes": "Ask for changes",
    "reject": "Reject",
    "contest": "Contest a payout",
    "decide": "Decide a contest",
    "finalize": "Release for payment",
    "export": "Export payments",
    "pay": "Record the payment",
    "supersede": "Supersede by another version",
}


@dataclass(frozen=True)
class Offer:
    """Something that can be done as things stand.

    Attributes:
        action: Its name.
        title: What its form is called.
        meaning: What signing it means.
        role: What whoever does it is called.
        obstacle: Why whoever is signed in cannot; empty if they can.
    """

    action: str
    title: str
    meaning: str
    role: str
    obstacle: str


def show() -> Response:
    """Return the page of a review."""
    return _show(asked_docket())


def show_refusal(refusal: RefusedError, asked: Request) -> Response:
    """Return the page of a review with why a form was refused, and what stood in it."""
    return _show(asked_docket(), refusal, asked)


def _show(
    docket: Docket, refusal: RefusedError | None = None, asked: Request | None = None
) -> Response:
    review = docket.review
    due = payments_due(docket.facts, review)
    return page(
        "review.html.j2",
        refusal.status if refusal else 200,
        docket=docket,
        review=review,
        verified={entry.number: is_verified(review, entry) for entry in review.entries},
        offers=_offers(docket, current_user()),
        refusal=str(refusal) if refusal else "",
        asked=asked,
        checklist=CHECKLIST,
        longest=LONGEST_TEXT,
        payee=argument("who"),
        due=due,
        due_total=sum(one.amount_minor for one in due),
        replaces=_replaces(docket),
        rules=review.case.rules,
    )


def _offers(docket: Docket, user: User) -> list[Offer]:
    if docket.faults and any("ledger" in fault for fault in docket.faults):
        return []
    review = docket.review
    changes = may_change(docket.version.name)
    offers = []
    for name, action in ACTIONS.items():
        if review.state not in action.sources or not _has_a_point(name, docket):
            continue
        if not changes and name != "contest":
            continue
        offers.append(
            Offer(name, _TITLES[name], action.meaning, action.role, _obstacle(docket, user, name))
        )
    return offers


def _has_a_point(name: str, docket: Docket) -> bool:
    """Return whether there is anything to decide, export or pay."""
    review = docket.review
    if name == "decide":
        return bool(review.undecided())
    if name == "export":
        return bool(payments_due(docket.facts, review))
    return name != "pay" or review.last("export") is not None


def _obstacle(docket: Docket, user: User, name: str) -> str:
    if not user.name:
        return ""
    review, action = docket.review, ACTIONS[name]
    if key_of(review, user.name):
        return "the policy lists your key: sign with credit review on the command line"
    before = barring(review, action, user.name)
    if before is not None:
        return f"you signed line {before.number}, so the {action.role} is somebody else"
    return ""


def _replaces(docket: Docket) -> list[str]:
    if docket.review.state not in ACTIONS["submit"].sources:
        return []
    return replaceable(catalogue().store, docket)
