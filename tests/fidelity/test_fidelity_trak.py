"""TRAK and D-TRAK agree with the authors' package, which computes all of it by itself."""

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from scipy.stats import spearmanr
from small_evidence import make_workbench, some_digits
from trak import TRAKer
from trak.modelout_functions import AbstractModelOutput
from trak.projectors import AbstractProjector, BasicProjector, ProjectionType

from credit_plugin.fidelity.evidence import Evidence
from credit_plugin.fidelity.influence import Curvature, influences

TIMESTEPS = torch.tensor([166, 500, 833])  # the middles of thirds of a thousand


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    home = tmp_path_factory.mktemp("studies")
    return Evidence(make_workbench(home, some_digits(), "fidelity.projection=2048"))


class LossOutput(AbstractModelOutput):
    """The training loss of an image, written for the package from diffusers alone.

    The digits' network predicts images. The loss is the output, so its derivative by it is one.
    """

    def __init__(self, noise_process):
        self.noise_process = noise_process

    def get_output(self, model, weights, buffers, image, noise):
        prediction, clean = self.predict(model, weights, buffers, image, noise)
        return torch.mean((prediction - clean) ** 2)

    def predict(self, model, weights, buffers, image, noise):
        clean = image.unsqueeze(0).repeat(len(TIMESTEPS), 1, 1, 1)
        noisy = self.noise_process.add_noise(clean, noise, TIMESTEPS)
        called = torch.func.functional_call(model, (weights, buffers), (noisy, TIMESTEPS))
        return called.sample, clean

    def get_out_to_loss_grad(self, model, weights, buffers, batch):
        return torch.ones(len(batch[0]), 1)


class SquareOutput(LossOutput):
    """The output of D-TRAK."""

    def get_output(self, model, weights, buffers, image, noise):
        prediction, _ = self.predict(model, weights, buffers, image, noise)
        return (prediction**2).sum() / len(TIMESTEPS)


OUTPUTS = {"loss": LossOutput, "square": SquareOutput}


class SameProjection(AbstractProjector):
    """This package's projection, inside TRAK's."""

    def __init__(self, projection, dimensions):
        super().__init__(
            sum(projection.sizes.values()), dimensions, 0, ProjectionType.normal, "cpu"
        )
        self.projection = projection

    def project(self, grads, model_id):
        return self.projection({name: gradient.detach() for name, gradient in grads.items()})


def noise_process(evidence):
    noise = evidence.study.diffusion.noise
    return DDPMScheduler(
        num_train_timesteps=noise.train_timesteps,
        beta_schedule=noise.beta_schedule,
        rescale_betas_zero_snr=noise.zero_terminal_snr,
    )


def scores_of_the_package(evidence, output, projector, ridge, folder):
    """Return the package's scores [m, g] with ``ridge`` on the scale of its own features."""
    model = evidence.bench.full.model
    traker = TRAKer(
        model=model,
        task=OUTPUTS[output](noise_process(evidence)),
        train_set_size=len(evidence.rows),
        save_dir=str(folder),
        device="cpu",
        projector=projector,
        use_half_precision=False,
        lambda_reg=ridge,
        logging_level=40,
    )
    gradients, weights = evidence.gradients, model.state_dict()
    traker.load_checkpoint(weights, model_id=0)
    batch = (evidence.examples.clean, gradients._training_noise)
    traker.featurize(batch=batch, num_samples=len(batch[0]))
    traker.finalize_features()
    batch = (evidence.generated_examples.clean, gradients._generated_noise)
    traker.start_scoring_checkpoint("targets", weights, model_id=0, num_targets=len(batch[0]))
    traker.score(batch=batch, num_samples=len(batch[0]))
    return np.array(traker.finalize_scores(exp_name="targets"))


def own(evidence, output):
    features = evidence.gradients
    if output == "square":
        return features.training_square, features.generated_square
    return features.training, features.generated


def count(evidence):
    return sum(p.numel() for p in evidence.bench.full.model.parameters())


def package_ridge(evidence, training, damping):
    """The same ridge in the units of the package, which divides gradients by sqrt(P)."""
    mean_eigenvalue = float((training**2).sum()) / min(training.shape)
    return damping * mean_eigenvalue / count(evidence)


@pytest.mark.parametrize("output", OUTPUTS)
def test_scores_equal_those_of_the_package_for_the_same_projection(evidence, output, tmp_path):
    training, generated = own(evidence, output)
    projector = SameProjection(evidence.gradients.project, training.shape[1])
    ridge = package_ridge(evidence, training, 0.1)
    theirs = scores_of_the_package(evidence, output, projector, ridge, tmp_path)
    ours = training @ Curvature(training, 0.1).solve(generated).T
    # the package divides the inverse by its mean entry: a constant factor
    factor = (ours * theirs).sum() / (theirs**2).sum()
    np.testing.assert_allclose(factor * theirs, ours, rtol=1e-2, atol=1e-3 * np.abs(ours).max())
    mean = influences(training, generated, 0.1)
    np.testing.assert_allclose(mean, ours.mean(1), rtol=1e-6, atol=1e-9)
    assert spearmanr(theirs.mean(1), mean).statistic > 0.999


@pytest.mark.parametrize("output", OUTPUTS)
def test_scores_agree_with_the_package_by_its_own_projection(evidence, output, tmp_path):
    training, generated = own(evidence, output)
    dimensions = training.shape[1]
    # two blocks: with a single one the package throws its matrix away before it scores
    projector = BasicProjector(
        count(evidence), dimensions, 5, ProjectionType.normal, "cpu", block_size=dimensions // 2
    )
    # the package's Gaussian entries have variance 1, not 1 / k
    ridge = dimensions * package_ridge(evidence, training, 1.0)
    theirs = scores_of_the_package(evidence, output, projector, ridge, tmp_path)
    ours = training @ Curvature(training, 1.0).solve(generated).T
    # both projections are off by about 1 / sqrt(k); without the inverse it is about 0.7
    assert np.corrcoef(theirs.ravel(), ours.ravel())[0, 1] > 0.98
    assert np.corrcoef(theirs.ravel(), (training @ generated.T).ravel())[0, 1] < 0.9
