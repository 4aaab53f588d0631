"""Whole pieces of work that a user asks for, whichever door the wish came through.

The command line and the ROS 2 nodes both turn a bag into a scene folder, and both open one; what
such a job does is said here once. May import everything but the doors. Read `reconstruct_bag.py` first.
"""
