"""What several pages have in common: the catalogue, and the report that a request is about."""

from functools import cache

from credit_plugin.plugin.server.arguments import version_argument
from credit_plugin.plugin.server.catalogue import Catalogue
from credit_plugin.reviewing import Docket


@cache
def catalogue() -> Catalogue:
    """Return the one catalogue of this process."""
    return Catalogue()


def asked_docket(field: str = "version", mirrors: bool = True) -> Docket:
    """Return the report and review that a request names.

    Raises:
        InputError: If it names none.
    """
    return catalogue().docket(*version_argument(field), mirrors)
