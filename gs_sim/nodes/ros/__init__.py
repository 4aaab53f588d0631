"""How gs_sim lives in ROS 2: life of a process, parameters, QoS, threads, messages from core types. Both nodes use it."""
