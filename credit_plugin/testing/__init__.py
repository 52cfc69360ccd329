"""Suites that a package's own properties, estimators and so on can inherit, and games to try.

A suite is a class of pytest tests. To hold an estimator of one's own to the laws that those of this
package keep, inherit from it and say what the estimator is:

    from credit_plugin.testing import EstimatorSuite

    class TestMine(EstimatorSuite):
        estimator = "mine"

The suites need pytest and hypothesis, which ``pip install 'credit_plugin[test]'`` brings. The games
are :mod:`credit_plugin.game.toys`, whose Shapley values are known in closed form.

That third parties inherit the tests which the package's own code passes is optuna's habit
(``testing/pytest_storages.py``).
"""

from credit_plugin.testing.design_suite import DesignSuite
from credit_plugin.testing.engine_suite import EngineSuite
from credit_plugin.testing.estimator_suite import EstimatorSuite
from credit_plugin.testing.property_suite import PropertySuite
from credit_plugin.testing.source_suite import SourceSuite

__all__ = ["DesignSuite", "EngineSuite", "EstimatorSuite", "PropertySuite", "SourceSuite"]
