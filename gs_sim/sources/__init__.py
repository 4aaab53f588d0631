"""Where Recordings come from: bags, KITTI, the synthetic street.

May import `errors`, `config`, `geometry` and `sensing`; knows nothing of scenes or of what a
Recording is used for. Read `bag.py` first (a bag as a Recording), then `messages/` (ROS fields
to core types), `transforms.py` (the tf tree) and `bag_writer.py` (the way back).
"""
