"""Lessons and networks so small that training on them takes seconds."""

from dataclasses import replace

from gs_sim.reconstruction.g3r.networks import NetworkSettings
from gs_sim.reconstruction.initialise import InitialiseSettings
from gs_sim.reconstruction.stereo import StereoSettings
from gs_sim.training.lesson import LessonSettings
from gs_sim.training.train_g3r import TrainG3RSettings

SMALL_LESSONS = LessonSettings(
    narrowest_px=48,
    widest_px=48,
    duration_s=0.6,
    every_beside=3,
    max_gaussians=3000,
    initialise=InitialiseSettings(stereo=StereoSettings(num_planes=16, neighbours=1)),
)
SMALL_TRAINING = TrainG3RSettings(
    iterations=4,
    streets=1,
    first_street=7,
    steps=(3,),
    views_per_step=(2,),
    networks=NetworkSettings(num_latent=6, width=12, unet_widths=(8, 12)),
    lessons=replace(SMALL_LESSONS),
)
