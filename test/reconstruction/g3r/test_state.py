"""Neural Gaussians: decoded at the start they are the scene they came from."""

import torch
from g3r_start import SMALL, Start

from gs_sim.reconstruction.g3r.networks import G3RNetworks
from gs_sim.reconstruction.g3r.state import REACH, Decoder, neural_gaussians, plain_rows
from gs_sim.reconstruction.trainable import gaussians_of, scene_of


def test_an_untrained_decoder_is_the_identity_whatever_the_latent_channels_say() -> None:
    decoder = Decoder(5)
    explicit, latent = torch.randn(30, 14), 100 * torch.randn(30, 5)
    assert torch.equal(decoder(explicit, latent), explicit)


def test_decoding_never_goes_further_than_its_reach() -> None:
    decoder = Decoder(5)
    torch.nn.init.normal_(decoder.linear.weight, std=50.0)
    explicit = torch.randn(30, 14)
    moved = (decoder(explicit, torch.randn(30, 5)) - explicit).abs()
    assert bool((moved <= torch.tensor(REACH) + 1e-5).all())
    assert bool(moved.any())


def test_a_scene_laid_out_and_put_back_is_the_same_scene(start: Start, networks: G3RNetworks) -> None:
    state = neural_gaussians(start.layout, SMALL.num_latent)
    rows = plain_rows(networks.decode(state), state.layout)
    before, after = gaussians_of(start.layout, 0), gaussians_of(rows, 0)
    for name in ("means", "log_scales", "opacity_logits", "sh"):
        assert torch.allclose(getattr(before, name), getattr(after, name), atol=1e-5)
    back = scene_of(rows, start.scene)
    assert len(back.distant) == len(start.scene.distant)
    assert torch.allclose(back.actors[0].gaussians_box.means, start.scene.actors[0].gaussians_box.means, atol=1e-5)
