"""Who plays with what: from submitted images to the players of the game, by the payout policy.

In this order, each image once:

1. **Withdrawn and excluded** names, owners or files leave, each with the reason; they are in no
   coalition and in no training.
2. **Owners**: a verified owner is one player, the union of the names and files that are theirs.
   Whoever the policy does not list owns what their name says. Splitting into several names
   therefore changes no payout.
3. **Copies across owners** (:func:`credit_plugin.contributors.duplicates.same_pictures`): of each
   cluster one image stays. It is its owner's if it was registered before all others'. Where that is
   not known, the image stays with the first in the data's order and is *disputed*: its part of
   the owner's payout is held. Policy ``hold`` lets all copies play and disputes all of them.

An owner of whom nothing stays leaves the game, and is still in the report with the reason.
"""

import difflib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from credit_plugin.config import CompensationSettings
from credit_plugin.contributors.dataset import ContributorDataset, name_problem
from credit_plugin.contributors.duplicates import same_pictures
from credit_plugin.errors import InputError

Fate = Literal["withdrawn", "excluded", "merged", "disputed"]


@dataclass(frozen=True)
class Decision:
    """What was decided about one image.

    Attributes:
        item: What the image is called.
        name: Under which it was submitted.
        owner: Whose it is.
        fate: ``merged`` if a copy of it stays with somebody else (or once only); ``disputed`` if
            it stays and its money is held.
        reason: In words.
    """

    item: str
    name: str
    owner: str
    fate: Fate
    reason: str


@dataclass(frozen=True)
class OwnerRecord:
    """What an owner submitted and what became of it.

    Attributes:
        owner: The player's name.
        names: Under which images were submitted.
        submitted: Images.
        accepted: Images that play.
        fates: Number of images by fate; disputed ones are among the accepted.
        reasons: Why images left or are disputed, each once.
    """

    owner: str
    names: tuple[str, ...]
    submitted: int
    accepted: int
    fates: Mapping[str, int]
    reasons: tuple[str, ...]

    @property
    def disputed_share(self) -> float:
        """Part of the accepted images that somebody else claims too."""
        return self.fates.get("disputed", 0) / self.accepted if self.accepted else 0.0


@dataclass(frozen=True)
class Submissions:
    """What everybody submitted, and what became of it.

    Attributes:
        owners: Everybody who submitted, players first in the game's order.
        clusters: How many pictures several owners submitted.
    """

    owners: tuple[OwnerRecord, ...]
    clusters: int

    def to_json_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {"clusters": self.clusters, "owners": [asdict(record) for record in self.owners]}

    @classmethod
    def from_json_dict(cls, stated: Mapping[str, Any]) -> "Submissions":
        """Return what :meth:`to_json_dict` wrote."""
        owners = [
            OwnerRecord(
                **{**record, "names": tuple(record["names"]), "reasons": tuple(record["reasons"])}
            )
            for record in stated["owners"]
        ]
        return cls(tuple(owners), stated["clusters"])


@dataclass(frozen=True, eq=False)
class Intake:
    """The players and what they play with.

    Attributes:
        dataset: Images under their verified owners.
        submissions: What everybody submitted, and what became of it.
        decisions: One for each image that left or is disputed, in the data's order.
    """

    dataset: ContributorDataset
    submissions: Submissions
    decisions: tuple[Decision, ...]


def take_in(submitted: ContributorDataset, policy: CompensationSettings) -> Intake:
    """Apply a policy to what was submitted.

    Args:
        submitted: Images under the names by which they came.
        policy: Owners, withdrawals, exclusions, dates of registration, and what to do with copies.

    Raises:
        InputError: If the policy names somebody or something that is not there, an owner has the
            name of somebody else, or fewer than two players are left.
    """
    owners, owner = _owners(submitted, policy)
    fates, dates = _left(submitted, policy, owners, owner), _dates(submitted, policy)
    clusters = 0
    if policy.duplicates != "keep":
        playing = np.setdiff1d(np.arange(submitted.n_images), list(fates))
        images = submitted.images[playing] if fates else submitted.images  # which may be large
        groups = same_pictures(images, owner[playing])
        clusters = len(groups)
        for group in groups:
            rows = playing[group].tolist()
            fates |= _judged(rows, owner, owners, dates, policy.duplicates)
    return _intake(submitted, owners, owner, fates, clusters)


def _owners(
    submitted: ContributorDataset, policy: CompensationSettings
) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the owners' names, and whose each image is."""
    names, files = submitted.contributors, _files(submitted)
    owner_of_name, owner_of_row = {name: name for name in names}, {}
    for owner, theirs in policy.owners.items():
        problem = name_problem(owner)
        if problem:
            raise InputError(f"compensation.owners: {owner!a}: {problem}")
        if owner in names and owner not in theirs:
            raise InputError(
                f"compensation.owners: {owner!r} is a name in the data too; list it as theirs, or "
                "call the owner something else"
            )
        for thing in theirs:
            if thing in owner_of_name:
                owner_of_name[thing] = owner
            elif thing in files:
                owner_of_row[files[thing]] = owner
            else:
                raise _unknown("owners", thing, (*names, *files))
    by_row = [owner_of_name[names[index]] for index in submitted.contributor]
    for row, owner in owner_of_row.items():
        by_row[row] = owner
    # in the data's order, so that a policy without owners changes nothing
    ordered = dict.fromkeys([*(owner_of_name[name] for name in names), *by_row])
    players = {owner: index for index, owner in enumerate(o for o in ordered if o in set(by_row))}
    return tuple(players), np.array([players[owner] for owner in by_row], dtype=np.int64)


def _left(
    submitted: ContributorDataset,
    policy: CompensationSettings,
    owners: Sequence[str],
    owner: np.ndarray,
) -> dict[int, tuple[Fate, str]]:
    """Return the images that a policy takes out, each with why."""
    files = _files(submitted)
    fates: dict[int, tuple[Fate, str]] = {}
    stated: tuple[tuple[str, Fate, Mapping[str, str]], ...] = (
        ("exclusions", "excluded", policy.exclusions),
        ("withdrawn", "withdrawn", policy.withdrawn),
    )
    for field, fate, listed in stated:
        for thing, reason in listed.items():
            if thing in owners:
                rows = np.flatnonzero(owner == owners.index(thing))
            elif thing in submitted.contributors:
                rows = np.flatnonzero(submitted.contributor == submitted.contributors.index(thing))
            elif thing in files:
                rows = np.array([files[thing]])
            else:
                raise _unknown(field, thing, (*owners, *submitted.contributors, *files))
            fates |= dict.fromkeys(rows.tolist(), (fate, reason))
    return fates


def _judged(
    rows: Sequence[int],
    owner: np.ndarray,
    owners: Sequence[str],
    dates: Sequence[str],
    policy: str,
) -> dict[int, tuple[Fate, str]]:
    """Return what becomes of the images of one cluster; one that stays undisputed is left out."""
    if policy == "hold":
        return dict.fromkeys(rows, ("disputed", "several owners submitted this picture"))
    known = [dates[row] for row in rows if dates[row]]
    first = [row for row in rows if len(known) == len(rows) and dates[row] == min(known)]
    if len({int(owner[row]) for row in first}) == 1:
        keeper = owners[int(owner[first[0]])]
        because = f"a copy; {keeper} registered the picture first, on {dates[first[0]]}"
        return {row: ("merged", because) for row in rows if row != first[0]}
    reason = "several owners submitted this picture, and who registered it first is not known"
    fates: dict[int, tuple[Fate, str]] = dict.fromkeys(rows[1:], ("merged", reason))
    return fates | {rows[0]: ("disputed", reason)}


def _intake(
    submitted: ContributorDataset,
    owners: Sequence[str],
    owner: np.ndarray,
    fates: Mapping[int, tuple[Fate, str]],
    clusters: int,
) -> Intake:
    plays = np.ones(submitted.n_images, dtype=bool)
    plays[[row for row, (fate, _) in fates.items() if fate != "disputed"]] = False
    accepted = np.bincount(owner[plays], minlength=len(owners))
    players = np.flatnonzero(accepted)
    if len(players) < 2:
        raise InputError(
            "compensation: after withdrawals, exclusions and copies fewer than two owners are "
            f"left ({', '.join(owners[i] for i in players.tolist()) or 'nobody'}); values need two"
        )
    dataset = _playing(submitted, owners, owner, players, np.flatnonzero(plays))
    decisions = tuple(
        Decision(
            item=submitted.item(row),
            name=submitted.contributors[int(submitted.contributor[row])],
            owner=owners[int(owner[row])],
            fate=fate,
            reason=reason,
        )
        for row, (fate, reason) in sorted(fates.items())
    )
    listed = [*players.tolist(), *np.flatnonzero(accepted == 0).tolist()]
    of_owner: dict[str, list[Decision]] = defaultdict(list)
    for decision in decisions:
        of_owner[decision.owner].append(decision)
    records = tuple(
        _record(submitted, owners[i], owner == i, plays, of_owner[owners[i]]) for i in listed
    )
    return Intake(dataset, Submissions(records, clusters), decisions)


def _playing(
    submitted: ContributorDataset,
    owners: Sequence[str],
    owner: np.ndarray,
    players: np.ndarray,
    rows: np.ndarray,
) -> ContributorDataset:
    """Return the images that play under their owners; what was submitted if that is the same."""
    unchanged = tuple(owners) == submitted.contributors and len(rows) == submitted.n_images
    if unchanged and np.array_equal(owner, submitted.contributor):
        return submitted
    names = submitted.contributor[rows]
    members = {owners[i]: np.unique(names[owner[rows] == i]).tolist() for i in players.tolist()}
    return submitted.regrouped(rows, np.searchsorted(players, owner[rows]), members)


def _record(
    submitted: ContributorDataset,
    name: str,
    theirs: np.ndarray,
    plays: np.ndarray,
    own: Sequence[Decision],
) -> OwnerRecord:
    under = np.unique(submitted.contributor[theirs]).tolist()
    return OwnerRecord(
        owner=name,
        names=tuple(submitted.contributors[index] for index in under),
        submitted=int(theirs.sum()),
        accepted=int((theirs & plays).sum()),
        fates=dict(Counter(decision.fate for decision in own)),
        reasons=tuple(dict.fromkeys(decision.reason for decision in own)),
    )


def _dates(submitted: ContributorDataset, policy: CompensationSettings) -> list[str]:
    """Return when each image was registered, ISO; empty where it is not known."""
    for name in policy.registered:
        if name not in submitted.contributors:
            raise _unknown("registered", name, submitted.contributors)
    by_name = [
        policy.registered[name].isoformat() if name in policy.registered else ""
        for name in submitted.contributors
    ]
    own = submitted.registered or ("",) * submitted.n_images
    return [date or by_name[index] for date, index in zip(own, submitted.contributor, strict=True)]


def _files(submitted: ContributorDataset) -> dict[str, int]:
    return {item: row for row, item in enumerate(submitted.items)}


def _unknown(field: str, thing: str, known: Sequence[str]) -> InputError:
    close = difflib.get_close_matches(thing, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else "name a contributor, an owner or a file"
    return InputError(f"compensation.{field}: there is no {thing!r} in the data; {hint}")
