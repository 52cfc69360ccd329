"""Every estimator of the package inherits the suite that is published for those of others."""

import inspect

import numpy as np

from credit_plugin.testing import EstimatorSuite
from credit_plugin.values import estimator_names


class TestAuto(EstimatorSuite):
    estimator = "auto"
    unordered = False  # folds are dealt by the order of the rows
    recovers_additive = True


class TestRegressionAdjusted(EstimatorSuite):
    estimator = "regression_adjusted"
    recovers_additive = True


class TestRegressionAdjustedWithoutShrinkage(EstimatorSuite):
    estimator = "regression_adjusted"
    options = {"proxy": "ols"}  # noqa: RUF012
    linear = True
    recovers_additive = True


class TestRegressionAdjustedWithEqualShares(EstimatorSuite):
    estimator = "regression_adjusted"
    options = {"proxy": "equal"}  # noqa: RUF012
    linear = True


class TestKernelshap(EstimatorSuite):
    estimator = "kernelshap"
    linear = True
    recovers_additive = True


class TestKernelshapPaper(EstimatorSuite):
    estimator = "kernelshap_paper"
    exact_when_enumerated = False  # its formula knows no weights
    linear = True
    recovers_additive = True


class TestRidgeKernelshap(EstimatorSuite):
    estimator = "ridge_kernelshap"
    exact_when_enumerated = False  # it keeps a penalty
    recovers_additive = True


class TestUnbiasedKernelshap(EstimatorSuite):
    estimator = "unbiased_kernelshap"
    linear = True


class TestLeverageShap(EstimatorSuite):
    estimator = "leverage_shap"
    kind = "leverage"
    linear = True
    recovers_additive = True


class TestSvarm(EstimatorSuite):
    estimator = "svarm"
    linear = True


class TestStratified(EstimatorSuite):
    estimator = "stratified"
    kind = "permutation"
    linear = True
    recovers_additive = True


class TestPermutation(EstimatorSuite):
    estimator = "permutation"
    kind = "permutation"
    linear = True
    recovers_additive = True


class TestExact(EstimatorSuite):
    estimator = "exact"
    linear = True
    recovers_additive = True

    def coalitions(self, n, budget, seed):
        return (np.arange(2**n)[:, None] >> np.arange(n)) % 2 == 1


class TestBanzhaf(EstimatorSuite):
    estimator = "banzhaf"
    kind = "uniform"
    shapley = False
    linear = True


class TestBanzhafByRegression(EstimatorSuite):
    estimator = "banzhaf"
    options = {"method": "regression"}  # noqa: RUF012
    kind = "uniform"
    shapley = False
    linear = True
    recovers_additive = True


class TestBetaShapley(EstimatorSuite):
    estimator = "beta_shapley"
    shapley = False
    recovers_additive = True


class TestLeaveOneOut(EstimatorSuite):
    estimator = "leave_one_out"
    shapley = False
    linear = True
    recovers_additive = True


class TestAddOneIn(EstimatorSuite):
    estimator = "add_one_in"
    shapley = False
    linear = True
    recovers_additive = True


class TestDatamodel(EstimatorSuite):
    estimator = "datamodel"
    shapley = False
    exact_when_enumerated = False  # it keeps a penalty
    recovers_additive = True


class TestDatamodelLasso(EstimatorSuite):
    estimator = "datamodel"
    options = {"penalty": "lasso"}  # noqa: RUF012
    shapley = False
    exact_when_enumerated = False
    unordered = False


def test_every_estimator_has_a_suite():
    suites = [
        suite
        for _, suite in inspect.getmembers(inspect.getmodule(TestAuto), inspect.isclass)
        if issubclass(suite, EstimatorSuite) and suite is not EstimatorSuite
    ]
    assert {suite.estimator for suite in suites} == set(estimator_names())
