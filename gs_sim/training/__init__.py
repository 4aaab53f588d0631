"""Learning the networks' weights on synthetic streets."""
