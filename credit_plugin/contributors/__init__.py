"""Who gave what: the contributor-labelled dataset, where it comes from, and what is wrong with it.

* :mod:`~credit_plugin.contributors.dataset`: the dataset, validated, with digests;
* :mod:`~credit_plugin.contributors.sources`: the registry of sources, one module each;
* :mod:`~credit_plugin.contributors.check`: everything wrong with a folder, all of it at once.
"""

from credit_plugin.contributors.dataset import ContributorDataset
from credit_plugin.contributors.sources import load_contributors, register_source, source_names

__all__ = ["ContributorDataset", "load_contributors", "register_source", "source_names"]
