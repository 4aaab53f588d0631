"""Where Recordings come from: bags, KITTI, the synthetic street."""
