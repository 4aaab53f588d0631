"""Every command and its options, declared without importing what runs them."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from gs_sim import __version__
from gs_sim.cli import values

if TYPE_CHECKING:
    # argparse keeps the type of `add_subparsers` private.
    Commands = argparse._SubParsersAction[values.OneLineParser]  # noqa: SLF001


def build_parser() -> argparse.ArgumentParser:
    """Declare the whole command line; `arguments.command` names the module that runs it."""
    parser = values.OneLineParser(
        prog="gs-sim",
        description="Turn a recorded drive into a 3D Gaussian scene, and look around in it.",
        epilog="Start with: gs-sim street -o drive, then gs-sim reconstruct drive -o scene",
    )
    parser.add_argument("--version", action="version", version=f"gs-sim {__version__}")
    parser.add_argument("-v", "--verbose", action="count", default=0, help="log what happens; twice for details")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _declare_inspect(commands)
    _declare_import(commands)
    _declare_street(commands)
    _declare_reconstruct(commands)
    _declare_evaluate(commands)
    _declare_render(commands)
    _declare_actor(commands)
    _declare_train(commands)
    _declare_bench(commands)
    return parser


def _command(commands: "Commands", name: str, summary: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary)
    parser.add_argument("-v", "--verbose", action="count", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return parser


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), help="where to compute (default: cuda if present)")


def _add_overwrite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--overwrite", action="store_true", help="replace a bag that is there")


def _add_bag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bag", type=Path, metavar="BAG", help="a rosbag2 folder or file, or a ROS 1 bag")


def _declare_inspect(commands: "Commands") -> None:
    parser = _command(commands, "inspect", "Say what a bag holds, and whether it is ready to be reconstructed.")
    _add_bag(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--config", type=Path, metavar="YAML", help="settings of reconstruct, for its `bag:` section")


def _declare_import(commands: "Commands") -> None:
    parser = _command(commands, "import", "Turn a data set's own files into a bag.")
    formats = parser.add_subparsers(dest="format", metavar="FORMAT", required=True)
    raw = formats.add_parser("kitti-raw", help="a drive of KITTI raw data (synced and rectified)")
    raw.add_argument("folder", type=Path, metavar="DRIVE_DIR")
    raw.add_argument("--labels", type=Path, metavar="FILE", help="tracking labels of the drive")
    odometry = formats.add_parser("kitti-odometry", help="a sequence of the KITTI odometry benchmark")
    odometry.add_argument("folder", type=Path, metavar="SEQUENCE_DIR")
    odometry.add_argument("--poses", type=Path, metavar="FILE", required=True, help="the sequence's pose file")
    for each in (raw, odometry):
        each.add_argument("-o", "--output", type=Path, metavar="BAG", required=True)
        each.add_argument("--cameras", type=values.names, metavar="A,B", help="default: the colour cameras")
        each.add_argument("--frames", type=values.frame_range, metavar="A:B", help="only frames A to B - 1")
        _add_overwrite(each)


def _declare_street(commands: "Commands") -> None:
    parser = _command(commands, "street", "Draw a synthetic street and record a drive through it as a bag.")
    parser.add_argument("-o", "--output", type=Path, metavar="BAG", required=True)
    parser.add_argument("--seed", type=int, help="fixes the street and its traffic")
    parser.add_argument("--duration-s", type=values.positive_real, metavar="S", help="length of the drive")
    parser.add_argument("--actors", type=int, metavar="N", help="moving vehicles")
    parser.add_argument("--size", type=values.image_size, metavar="WxH", help="size of every image")
    parser.add_argument("--config", type=Path, metavar="YAML", help="more settings of the street; options above win")
    _add_overwrite(parser)
    _add_device(parser)


def _declare_reconstruct(commands: "Commands") -> None:
    parser = _command(commands, "reconstruct", "Turn a bag into a scene. Ctrl-C stops early and keeps the scene.")
    _add_bag(parser)
    parser.add_argument("-o", "--output", type=Path, metavar="SCENE", required=True, help="folder to write")
    parser.add_argument("--method", choices=("optimise", "g3r"), help="default: optimise")
    effort = parser.add_mutually_exclusive_group()
    effort.add_argument("--steps", type=values.positive, metavar="N", help="steps of the refining loop")
    effort.add_argument("--budget-s", type=values.positive_real, metavar="S", help="seconds of the refining loop")
    parser.add_argument("--cameras", type=values.names, metavar="A,B", help="default: all but off_*")
    parser.add_argument("--width", type=values.positive, metavar="PX", help="reduce images to this width")
    parser.add_argument("--holdout", type=values.positive, metavar="K", help="keep out frames with i %% K == K // 2")
    parser.add_argument("--poses", choices=("bag", "lidar", "ggrt"), help="where the path comes from; default: bag")
    parser.add_argument("--init", choices=("lidar", "pixelgaussian", "lidar+pixelgaussian"), help="default: lidar")
    parser.add_argument("--max-gaussians", type=values.positive, metavar="N")
    _add_device(parser)
    parser.add_argument("--config", type=Path, metavar="YAML", help="more settings; options on the command line win")
    parser.add_argument("--seed", type=int, help="fixes all randomness")


def _declare_evaluate(commands: "Commands") -> None:
    parser = _command(commands, "evaluate", "Compare a scene with the frames of a bag; writes SCENE/report.html.")
    parser.add_argument("scene", type=Path, metavar="SCENE")
    _add_bag(parser)
    parser.add_argument("--cameras", type=values.names, metavar="A,B", help="default: those reconstructed from")
    parser.add_argument("--holdout", type=values.positive, metavar="K", help="only frames with i %% K == K // 2")
    parser.add_argument("--width", type=values.positive, metavar="PX", help="default: as reconstructed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all scores")
    parser.add_argument("--report", type=Path, metavar="FILE", help="default: SCENE/report.html")
    _add_device(parser)


def _declare_render(commands: "Commands") -> None:
    parser = _command(commands, "render", "Render a scene along its path, or from beside it, to pictures or a video.")
    parser.add_argument("scene", type=Path, metavar="SCENE")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR|FILE.mp4", required=True)
    parser.add_argument("--camera", metavar="NAME", help="default: the first of the scene's rig")
    parser.add_argument(
        "--offset",
        type=values.offset,
        metavar="X,Y,Z,YAW_DEG",
        default=(0.0, 0.0, 0.0, 0.0),
        help="displace the vehicle: metres forward, left, up, and degrees to the left",
    )
    parser.add_argument("--stamp-s", type=float, metavar="T", help="one picture, T seconds after the drive began")
    parser.add_argument("--width", type=values.positive, metavar="PX", help="default: as reconstructed")
    parser.add_argument("--rate", type=values.positive_real, metavar="HZ", help="default: the camera's own")
    _add_device(parser)


def _declare_actor(commands: "Commands") -> None:
    parser = _command(commands, "actor", "Make an actor from a picture, or put one into a scene.")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    make = verbs.add_parser("from-image", help="make an actor from one picture (not built yet)")
    make.add_argument("image", type=Path, metavar="IMAGE")
    make.add_argument("--mask", type=Path, metavar="FILE")
    make.add_argument("--class", dest="label", default="car")
    make.add_argument("--length-m", type=values.positive_real, metavar="L")
    make.add_argument("-o", "--output", type=Path, metavar="ACTOR.ply", required=True)
    insert = verbs.add_parser("insert", help="put an actor into a scene")
    insert.add_argument("scene", type=Path, metavar="SCENE")
    insert.add_argument("actor", type=Path, metavar="ACTOR.ply")
    insert.add_argument("--at", type=values.place, metavar="X,Y,YAW_DEG", required=True, help="in the scene's world")
    insert.add_argument("--path", type=Path, metavar="FILE", help="rows of stamp_s,x,y,yaw_deg to drive along")
    insert.add_argument("-o", "--output", type=Path, metavar="SCENE2", required=True)


def _declare_train(commands: "Commands") -> None:
    parser = _command(commands, "train", "Learn a network's weights on synthetic streets; goes on where it stopped.")
    parser.add_argument("network", choices=("g3r", "ggrt", "pixelgaussian", "agg"), help="only g3r is built yet")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", required=True, help="checkpoint, curves, weights")
    parser.add_argument("--iterations", type=values.positive, metavar="N", help="streets refined, one after the other")
    parser.add_argument(
        "--lessons", type=Path, metavar="DIR", help="where drawn streets are kept; default: DIR/lessons"
    )
    parser.add_argument("--workers", type=values.positive, metavar="N", default=1, help="processes that draw streets")
    parser.add_argument("--save-every", type=values.positive, metavar="N", default=10, help="iterations per checkpoint")
    parser.add_argument("--config", type=Path, metavar="YAML", help="more settings; options on the command line win")
    parser.add_argument("--seed", type=int, help="fixes all randomness")
    _add_device(parser)


def _declare_bench(commands: "Commands") -> None:
    parser = _command(commands, "bench", "Measure how fast, and how good after how long.")
    subjects = parser.add_subparsers(dest="subject", metavar="SUBJECT", required=True)
    rasterizer = subjects.add_parser("rasterizer", help="images/s of the rasterizer, against a roofline")
    rasterizer.add_argument("--quick", action="store_true", help="the smallest case only")
    reconstruct = subjects.add_parser("reconstruct", help="PSNR over time of each method")
    reconstruct.add_argument("--bag", type=Path, metavar="BAG", help="default: unseen synthetic streets")
    reconstruct.add_argument("--streets", type=values.positive, metavar="N", default=1, help="how many; default: 1")
    reconstruct.add_argument("--width", type=values.positive, metavar="PX")
    reconstruct.add_argument("--holdout", type=values.positive, metavar="K", default=4)
    reconstruct.add_argument("--steps", type=values.counts, metavar="T,T", default=(2, 6), help="of G3R; longest last")
    reconstruct.add_argument(
        "--polish", type=values.counts, metavar="N,N", default=(), help="G3R, then so many steps of optimisation"
    )
    reconstruct.add_argument(
        "--factors",
        type=values.positive_reals,
        metavar="F,F",
        default=(1.0, 3.0, 10.0),
        help="optimise for F times G3R's time",
    )
    reconstruct.add_argument(
        "--settings", type=values.named_file, metavar="NAME=YAML", action="append", help="also with other settings"
    )
    reconstruct.add_argument("--robustness", action="store_true", help="also thin or noisy LiDAR, wrong poses")
    reconstruct.add_argument("--plot", type=Path, metavar="SVG", help="draw PSNR over time")
    reconstruct.add_argument("--seed", type=int, default=0)
    g3r = subjects.add_parser("g3r", help="seconds and memory of a learned step, by part")
    street = subjects.add_parser("street", help="images/s of the synthetic street")
    sensor_sim = subjects.add_parser("sensor_sim", help="latency, rate and losses of virtual cameras over ROS 2")
    sensor_sim.add_argument("--dds-profile", type=Path, metavar="XML", help="such as config/fastdds_shm.xml")
    for each in (rasterizer, reconstruct, g3r, street, sensor_sim):
        each.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
        _add_device(each)
