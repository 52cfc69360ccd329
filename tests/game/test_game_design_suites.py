"""Every design of the package inherits the suite that is published for those of others."""

import inspect

from credit_plugin.game import design_names
from credit_plugin.testing import DesignSuite


class TestPairedBorder(DesignSuite):
    kind = "paired_border"


class TestBorderFirst(DesignSuite):
    kind = "border_first"


class TestLeverage(DesignSuite):
    kind = "leverage"


class TestPermutation(DesignSuite):
    kind = "permutation"


class TestUniform(DesignSuite):
    kind = "uniform"


class TestFixedSize(DesignSuite):
    kind = "fixed_size"


class TestShapleyIid(DesignSuite):
    kind = "shapley_iid"
    distinct = False


class TestLeaveOneOut(DesignSuite):
    kind = "leave_one_out"


class TestAddOneIn(DesignSuite):
    kind = "add_one_in"


class TestExact(DesignSuite):
    kind = "exact"
    most = 16


def test_every_design_has_a_suite():
    module = inspect.getmodule(TestExact)
    suites = [s for _, s in inspect.getmembers(module, inspect.isclass) if s is not DesignSuite]
    assert sorted(suite.kind for suite in suites) == design_names()
