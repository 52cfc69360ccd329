"""Gradient features are what they claim, and the methods that read them obey their laws."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_evidence import make_workbench, some_digits, with_generated, with_images
from torch.nn import functional

from credit_plugin.diffusion.domain import ImageDomain
from credit_plugin.diffusion.examples import Examples
from credit_plugin.diffusion.tasks import create_task
from credit_plugin.fidelity.attribution import get_attribution
from credit_plugin.fidelity.attributions.relative_influence import relative_influences
from credit_plugin.fidelity.attributions.renormalised_influence import renormalised_influences
from credit_plugin.fidelity.evidence import Evidence
from credit_plugin.fidelity.gradients import GradientFeatures, per_sample_gradients, square
from credit_plugin.fidelity.influence import Curvature, influences
from credit_plugin.fidelity.projection import Projection

METHODS = {
    "gradient_similarity": {"avg", "max"},
    "trak": {"sum", "mean"},
    "journey_trak": {"sum", "mean"},
    "d_trak": {"sum", "mean"},
    "relative_influence": {"sum", "mean"},
    "renormalised_influence": {"sum", "mean"},
}
FEATURES = ("training", "generated", "training_square", "generated_square", "journey")


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    return Evidence(make_workbench(tmp_path_factory.mktemp("studies"), some_digits()))


def gradients_one_by_one(bench, output, examples, noise, timesteps):
    parameters = dict(bench.full.model.named_parameters())
    for image, image_noise in zip(examples.clean, noise, strict=True):
        batch = Examples(image)
        value = output(*bench.task.predict(bench.full.model, batch, image_noise, timesteps))
        found = torch.autograd.grad(value, list(parameters.values()))
        yield dict(zip(parameters, (g[None] for g in found), strict=True))


@pytest.mark.parametrize("output", [functional.mse_loss, square])
def test_projected_gradients_equal_those_of_one_image_at_a_time(evidence, output):
    bench, project = evidence.bench, evidence.gradients.project
    timesteps = torch.tensor([50, 400, 999])
    clean = evidence.examples.clean[:4, None].expand(-1, 3, -1, -1, -1)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    arguments = (output, Examples(clean), noise, timesteps)
    together = project(per_sample_gradients(bench.task, bench.full.model, *arguments))
    singly = torch.cat([project(g) for g in gradients_one_by_one(bench, *arguments)])
    torch.testing.assert_close(together, singly, rtol=1e-4, atol=1e-5 * float(singly.abs().max()))


def test_the_gradient_of_the_training_loss_is_that_of_the_mean_over_noise_levels(evidence):
    bench, features = evidence.bench, evidence.gradients
    timesteps = torch.tensor([166, 500, 833])  # the middles of thirds of a thousand
    clean = Examples(evidence.examples.clean[:2, None].expand(-1, 3, -1, -1, -1))
    noise = features._training_noise[:2]
    singly = gradients_one_by_one(bench, functional.mse_loss, clean, noise, timesteps)
    expected = torch.cat([features.project(g) for g in singly]).numpy()
    np.testing.assert_allclose(features.training[:2], expected, rtol=1e-3, atol=1e-5)


def layers(size, count, seed):
    """Gradients of four layers whose scales differ, as they do in networks: flat and by layer."""
    cuts = [1, size // 7 - 1, size // 2, size // 2 - size // 7]
    scales = np.repeat([1.0, 0.3, 0.1, 0.03], cuts)
    flat = np.random.default_rng(seed).standard_normal((count, sum(cuts))) * scales
    parts = torch.from_numpy(flat).float().split(cuts, 1)
    return flat, {f"layer {i}": part for i, part in enumerate(parts)}


@pytest.mark.parametrize("size", [700, 5000])  # below and above the width of the first stage
def test_the_projection_preserves_inner_products_within_the_stated_error(size):
    dimensions, width = 256, min(16 * 256, size)
    flat, gradients = layers(size, 12, seed=3)
    exact = flat @ flat.T
    norms = np.sqrt(np.diag(exact))
    sizes = {name: g.shape[1] for name, g in gradients.items()}
    allowed = np.sqrt((1 / dimensions + 1 / width) * (np.outer(norms, norms) ** 2 + exact**2))
    deviations, repeats = np.zeros_like(exact), 40
    for seed in range(repeats):
        projected = Projection(sizes, dimensions, seed, "cpu")(gradients).double().numpy()
        error = (projected @ projected.T - exact) / allowed
        assert np.abs(error).max() < 6
        deviations += error / repeats
    # unbiased: means of 40 errors of at most one standard deviation
    assert np.abs(deviations).max() < 4.5 / np.sqrt(repeats)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 90), min_size=1, max_size=6), st.integers(1, 3), st.integers(0, 99))
def test_the_projection_is_linear_and_uses_every_parameter(sizes, dimensions, seed):
    sizes = {f"layer {i}": size for i, size in enumerate(sizes)}
    project = Projection(sizes, dimensions, seed, "cpu")
    total = sum(sizes.values())
    unit = torch.eye(total).split(list(sizes.values()), 1)
    columns = project(dict(zip(sizes, unit, strict=True)))
    assert (columns != 0).any(1).all()
    flat = torch.randn(2, total, generator=torch.Generator().manual_seed(seed))
    parts = dict(zip(sizes, flat.split(list(sizes.values()), 1), strict=True))
    torch.testing.assert_close(project(parts), flat @ columns, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("name", "chunk"), [*((n, 7) for n in FEATURES), ("journey", 1)])
def test_results_are_the_same_for_any_chunk_size(evidence, name, chunk):
    together = getattr(evidence.gradients, name)
    assert evidence.gradients.chunk >= len(together)
    assert GradientFeatures(evidence, chunk).chunk == chunk
    found = getattr(GradientFeatures(evidence, chunk), name)
    np.testing.assert_allclose(found, together, rtol=1e-3, atol=1e-5 * np.abs(together).max())


def test_the_journey_ends_at_the_generated_images(evidence):
    bench = evidence.bench
    noise = bench.noise(0)[: evidence.settings.generated]
    *_, (timestep, last) = bench.task.trajectory(bench.full.model, noise, evidence.study.sampling)
    assert timestep == 199
    # the last step of DDIM leaves what the network saw
    assert (last - evidence.generated_examples.clean).abs().max() < 1.01 / 127.5


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_the_journey_ends_at_the_samples_whatever_is_predicted(evidence, prediction):
    noise = evidence.study.diffusion.noise.model_copy(
        update={"prediction_type": prediction, "zero_terminal_snr": prediction != "epsilon"}
    )
    diffusion = evidence.study.diffusion.model_copy(update={"noise": noise})
    task, sampling = create_task(diffusion, ImageDomain(8, 1)), evidence.study.sampling
    model, initial = task.build(0).eval(), task.noise(5, 0)
    *_, (_, last) = task.trajectory(model, initial, sampling)
    samples = task.encode(task.sample(model, initial, sampling)).clean
    assert (last - samples).abs().max() < 1.01 / 127.5
    assert last.std() > 0.1


def test_a_gradient_that_is_not_finite_ends_with_advice(tmp_path):
    broken = Evidence(make_workbench(tmp_path, some_digits(2), "diffusion.training.steps=10"))
    with torch.no_grad():
        broken.bench.full.model.conv_in.weight.fill_(float("inf"))
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        _ = broken.gradients.training


@pytest.mark.parametrize("method", METHODS)
def test_every_method_scores_every_contributor(evidence, method):
    found = get_attribution(method).score(evidence)
    assert set(found) == METHODS[method]
    for scores in found.values():
        assert scores.shape == (evidence.n_players,)
        assert scores.dtype == np.float64
        assert np.isfinite(scores).all()
        assert scores.std() > 0


@pytest.mark.parametrize("method", METHODS)
def test_generating_every_image_twice_changes_nothing(evidence, method):
    scores = get_attribution(method).score(evidence)
    once = with_generated(evidence, evidence.generated)
    twice = with_generated(evidence, np.repeat(evidence.generated, 2, 0))
    if method == "journey_trak":  # the journeys, not the images, are scored
        twice.gradients.journey = np.repeat(once.gradients.journey, 2, 0)
    for variant, expected in get_attribution(method).score(twice).items():
        np.testing.assert_allclose(
            expected, scores[variant], rtol=1e-3, atol=1e-4 * np.abs(scores[variant]).max()
        )


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_training_images_does_not_matter(evidence, method):
    scores = get_attribution(method).score(evidence)
    shuffled = np.random.default_rng(4).permutation(evidence.rows)
    found = get_attribution(method).score(with_images(evidence, shuffled))
    for variant, expected in scores.items():
        np.testing.assert_allclose(
            found[variant], expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max()
        )


def test_an_image_resembles_itself_most(evidence):
    own = with_generated(evidence, evidence.images[evidence.owner == 2])
    scores = get_attribution("gradient_similarity").score(own)["max"]
    assert scores[2] == pytest.approx(1)
    assert np.argmax(scores) == 2


def test_scores_are_named_by_contributor_and_stand_for_all_their_images(evidence):
    found = get_attribution("trak").score(evidence)
    np.testing.assert_allclose(found["sum"], found["mean"] * evidence.dataset.counts)


def features(seed, count=9, generated=4, dimensions=6):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(count, dimensions)), generator.normal(
        size=(generated, dimensions)
    )


seeds = st.integers(0, 10_000)
scales = st.floats(1e-3, 1e3)


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(2, 9), st.floats(0.01, 10))
def test_influence_is_the_formula(seed, count, damping):
    training, generated = features(seed, count)
    gram = training.T @ training
    ridge = damping * np.sort(np.linalg.eigvalsh(gram))[-count:].mean()
    inverse = np.linalg.inv(gram + ridge * np.eye(len(gram)))
    expected = (generated @ inverse @ training.T).mean(0)
    np.testing.assert_allclose(influences(training, generated, damping), expected, rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(seeds, scales)
def test_influences_change_with_the_unit_of_the_loss_as_their_formulas_say(seed, unit):
    training, generated = features(seed)
    scaled = unit * training, unit * generated
    near, far = Curvature(training, 0.1), Curvature(scaled[0], 0.1)
    np.testing.assert_allclose(
        influences(*scaled, 0.1), influences(training, generated, 0.1), rtol=1e-6
    )
    np.testing.assert_allclose(
        relative_influences(*scaled, far),
        unit * relative_influences(training, generated, near),
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        renormalised_influences(*scaled, far),
        renormalised_influences(training, generated, near) / unit,
        rtol=1e-6,
    )


@settings(max_examples=40, deadline=None)
@given(seeds, scales, st.sampled_from([relative_influences, renormalised_influences]))
def test_the_length_of_one_gradient_changes_neither_relative_nor_renormalised_influence(
    seed, factor, method
):
    training, generated = features(seed)
    curvature = Curvature(training, 0.1)
    longer = training.copy()
    longer[3] *= factor
    np.testing.assert_allclose(
        method(longer, generated, curvature), method(training, generated, curvature), rtol=1e-6
    )


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_relative_influence_is_at_most_the_length_of_the_mean_generated_gradient(seed):
    training, generated = features(seed)
    scores = relative_influences(training, generated, Curvature(training, 0.1))
    assert np.abs(scores).max() <= np.linalg.norm(generated.mean(0)) * (1 + 1e-9)


@pytest.mark.parametrize("method", [relative_influences, renormalised_influences])
def test_an_image_without_gradient_has_no_influence(method):
    training, generated = features(0)
    training[2] = 0
    scores = method(training, generated, Curvature(training, 0.1))
    assert scores[2] == 0
    assert np.isfinite(scores).all()
    assert (method(0 * training, generated, Curvature(0 * training, 0.1)) == 0).all()


def test_training_on_an_image_of_positive_influence_lowers_the_loss_of_generated_ones(evidence):
    bench, gradients = evidence.bench, evidence.gradients
    some, timesteps = slice(None, None, 3), torch.tensor([166, 500, 833])
    predicted = gradients.training[some] @ gradients.generated.mean(0)

    batch = Examples(evidence.generated_examples.clean.repeat_interleave(3, 0))
    noise = gradients._generated_noise.flatten(0, 1)
    levels = timesteps.repeat(len(evidence.generated))

    @torch.no_grad()
    def loss_of_generated(model):
        return float(functional.mse_loss(*bench.task.predict(model, batch, noise, levels)))

    before, changes = loss_of_generated(bench.full.model), []
    images = evidence.examples.clean[some, None].expand(-1, 3, -1, -1, -1)
    arguments = (functional.mse_loss, Examples(images), gradients._training_noise[some], timesteps)
    for gradient in gradients_one_by_one(bench, *arguments):
        model = bench.copy_of(bench.full)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter -= 1e-3 * gradient[name][0]
        changes.append(loss_of_generated(model) - before)
    assert np.corrcoef(predicted, changes)[0, 1] < -0.8


def test_a_module_says_what_it_computes_and_where_it_is_from():
    from importlib import import_module

    for name in METHODS:
        module = import_module(f"credit_plugin.fidelity.attributions.{name}")
        assert "Source:" in module.__doc__
        assert "Departure" in module.__doc__
        assert get_attribution(name).title
        assert Path(module.__file__).stem == name
