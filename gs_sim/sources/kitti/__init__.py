"""KITTI drives, raw and odometry benchmark, as Recordings and as bags.

`files.py` parses, `raw.py` and `odometry.py` assemble a `KittiDrive` (`drive.py`), `write_bag.py` makes a bag of it.
KITTI: Geiger, Lenz, Stiller, Urtasun, "Vision meets Robotics: The KITTI Dataset", IJRR 2013.
"""

from gs_sim.sources.kitti.drive import KittiDrive
from gs_sim.sources.kitti.odometry import read_kitti_odometry
from gs_sim.sources.kitti.raw import KittiSettings, read_kitti_raw
from gs_sim.sources.kitti.write_bag import import_kitti_odometry, import_kitti_raw

__all__ = [
    "KittiDrive",
    "KittiSettings",
    "import_kitti_odometry",
    "import_kitti_raw",
    "read_kitti_odometry",
    "read_kitti_raw",
]
