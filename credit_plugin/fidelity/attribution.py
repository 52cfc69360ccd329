"""What an attribution method is: something that scores contributors, to compare values with.

There are two kinds. An *image method* looks at images, features or gradients of the trained model
and trains nothing; it runs as one job in a worker. A *game method* reads scores off a table of
utilities, like the study's own values; the coalitions that it needs are evaluated, and shared with
whatever else evaluates them.

A further method is one more module in :mod:`credit_plugin.fidelity.attributions`, or a class of the
user's own that is decorated with :func:`register_attribution`. Higher scores always mean that a
contributor matters more for the headline property being as good as it is.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from credit_plugin.config import Study
from credit_plugin.evaluating import Plan
from credit_plugin.game.table import UtilityTable
from credit_plugin.registry import Registry

if TYPE_CHECKING:
    from credit_plugin.fidelity.evidence import Evidence


class Attribution(ABC):
    """Base of both kinds.

    Attributes:
        title: What tables and figures call the method, a few words.
    """

    title: ClassVar[str]

    def unavailable(self, study: Study) -> str | None:
        """Return why the method cannot be used in a study and the mend, or None if it can."""
        return None

    def identity(self, study: Study) -> str:
        """Return what the scores depend on besides settings and data, for instance a file's hash.

        Scores of image methods are kept, and computed anew when this changes.
        """
        return ""


class ImageAttribution(Attribution):
    """Scores from images, features or gradients; trains nothing."""

    @abstractmethod
    def score(self, evidence: "Evidence") -> dict[str, np.ndarray]:
        """Return float64 [n] for each variant, for instance ``avg`` and ``max``."""


class GameAttribution(Attribution):
    """Scores from utilities of coalitions.

    Attributes:
        utility: Registered utility of the coalitions; None is that of the study.
    """

    utility: ClassVar[str | None] = None

    @abstractmethod
    def plan(self, n_players: int, study: Study, own: Plan) -> Plan:
        """Return the evaluations that the scores are read from.

        Args:
            n_players: Contributors.
            study: The settings.
            own: The study's own evaluations: those of its groups and rounds, where it has such.
        """

    @abstractmethod
    def read(self, table: UtilityTable, seed: int) -> np.ndarray:
        """Return float64 [n] from oriented utilities of the headline, one row an evaluation.

        Raises:
            InputError: If evaluations that are needed were lost.
        """


ATTRIBUTIONS: Registry[Callable[[], Attribution]] = Registry(
    "credit_plugin.fidelity.attributions",
    "credit_plugin.attributions",
    "an attribution method",
    module_each=True,
)
register_attribution = ATTRIBUTIONS.register
attribution_names = ATTRIBUTIONS.names


def get_attribution(name: str, field: str = "fidelity.methods") -> Attribution:
    """Return the method ``name``.

    Raises:
        InputError: If it is not registered.
    """
    return ATTRIBUTIONS.get(name, field)()
