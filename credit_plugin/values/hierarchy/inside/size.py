"""Way ``size``: by how many items each member gave.

What: :mod:`credit_plugin.values.hierarchy.proportional` to the option ``counts``.

When: as the declared rule where nothing better can be afforded, and to compare with. Two levels
with sizes inside misallocate less than one flat division by size (.23 to .28 of the pool against
.34 to .39, with 20 to 50 groups).
"""

from collections.abc import Mapping
from typing import Any

from credit_plugin.values.hierarchy.proportional import proportional
from credit_plugin.values.hierarchy.question import Question
from credit_plugin.values.hierarchy.ways import Divider, register_way


@register_way("size")
def size(question: Question, *, counts: Mapping[str, float] | Any) -> Divider:
    """Prepare the division by counts.

    Raises:
        InputError: If a count is missing, negative or no number.
    """
    return proportional(question, counts, "counts", None)
