"""A synthetic street: drawn from a seed, rendered by analytic ray casting in torch, recorded like a real drive.

`draw_street` draws it, `StreetRecording` renders it on demand, `write_street_bag` writes it as a bag.
Imports `errors`, `geometry` and `sensing`. Read `street.py` first.
"""
