"""The command line `gs-sim`: parse, call, print. The only place that prints."""
