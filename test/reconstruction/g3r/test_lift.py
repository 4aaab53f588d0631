"""Lifting: the gradient is that of the squared error, the curvature that of the rendering."""

from dataclasses import replace

import torch
from g3r_start import Start

from gs_sim.reconstruction.g3r.lift import lift, render_rows, target_of
from gs_sim.reconstruction.g3r.state import COLOUR, OPACITY, neural_gaussians


def test_a_small_step_against_the_gradient_lowers_the_error_as_it_foretells(start: Start) -> None:
    state, view = neural_gaussians(start.layout, 0), start.views[1]
    lifted = lift(state.explicit, start.layout, start.scene, view)

    def error(colours: torch.Tensor) -> float:
        explicit = state.explicit.clone()
        explicit[:, COLOUR] = colours
        seen = render_rows(explicit, start.layout, start.scene, view).colour - target_of(view, colours.device)
        return float(0.5 * seen.double().square().sum())

    colours, gradient = state.explicit[:, COLOUR], lifted.gradient[:, COLOUR]
    step = 1e-3 / float(gradient.abs().max())
    foretold = 2 * step * float(gradient.double().square().sum())
    assert abs(error(colours - step * gradient) - error(colours + step * gradient) + foretold) < 0.02 * foretold
    assert abs(2 * error(colours) / (48 * 32 * 3) - lifted.error) < 1e-4 * lifted.error


def test_the_probed_curvature_is_right_on_average(start: Start) -> None:
    """Against the exact diagonal of J^T J, for the opacities of a few rows."""
    state, view = neural_gaussians(start.layout, 0), start.views[1]
    generator = torch.Generator().manual_seed(1)
    probes = [lift(state.explicit, start.layout, start.scene, view, generator).curvature for _ in range(200)]
    mean = torch.stack([probe[:, OPACITY.start] for probe in probes if probe is not None]).mean(dim=0)
    rows = mean.topk(5).indices
    for row in rows.tolist():
        images = []
        for sign in (1, -1):
            explicit = state.explicit.clone()
            explicit[row, OPACITY] += sign * 0.05
            images.append(render_rows(explicit, start.layout, start.scene, view).colour.double())
        exact = float(((images[0] - images[1]) / 0.1).square().sum())
        assert abs(float(mean[row]) / exact - 1) < 0.35


def test_rows_that_are_no_numbers_are_heard_as_silence(start: Start) -> None:
    explicit = neural_gaussians(start.layout, 0).explicit.clone()
    explicit[3], explicit[5, 0] = float("nan"), float("inf")
    generator = torch.Generator().manual_seed(1)
    lifted = lift(explicit, start.layout, start.scene, start.views[0], generator)
    assert lifted.curvature is not None
    assert bool(lifted.gradient.isfinite().all())
    assert bool(lifted.curvature.isfinite().all())
    assert not bool(lifted.gradient[3].any())


def test_a_row_that_a_view_does_not_see_hears_nothing(start: Start) -> None:
    behind = replace(start.layout, anchors=start.layout.anchors.clone())
    behind.anchors[0] = torch.tensor([-50.0, 0.0, 0.0])
    lifted = lift(neural_gaussians(behind, 0).explicit, behind, start.scene, start.views[0])
    assert not bool(lifted.gradient[0].any())
    assert bool(lifted.gradient[1:].any())
