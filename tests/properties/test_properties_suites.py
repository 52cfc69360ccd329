"""Properties of the package inherit the suite that is published for those of others."""

import inspect
from dataclasses import replace

import numpy as np

from credit_plugin.properties.registry import property_names
from credit_plugin.testing import PropertySuite


class TestColourfulness(PropertySuite):
    name = "colourfulness"
    per_image = True


class TestInceptionScore(PropertySuite):
    name = "inception_score"


class TestFrechetDistance(PropertySuite):
    name = "frechet_distance"


class TestFid(PropertySuite):
    name = "fid"


class TestKernelDistance(PropertySuite):
    name = "kernel_distance"


class TestKid(PropertySuite):
    name = "kid"


class TestDiversity(PropertySuite):
    name = "diversity"


class TestPairwiseDistance(PropertySuite):
    name = "pairwise_distance"


class TestPrecision(PropertySuite):
    name = "precision"


class TestRecall(PropertySuite):
    name = "recall"


class TestClipScore(PropertySuite):
    name = "clip_score"
    per_image = True

    def images(self, seed, channels=3):
        texts = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
        return replace(super().images(seed, channels), condition=np.arange(48) % 4, texts=texts)


def test_every_property_has_a_suite_but_those_that_look_through_weights():
    suites = [
        suite
        for _, suite in inspect.getmembers(inspect.getmodule(TestKid), inspect.isclass)
        if issubclass(suite, PropertySuite) and suite is not PropertySuite
    ]
    assert {suite.name for suite in suites} == set(property_names()) - {"aesthetic", "lpips"}
