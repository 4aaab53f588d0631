"""How fast it is: the measurements behind `gs-sim bench`."""
