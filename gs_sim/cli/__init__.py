"""The command line `gs-sim`: parse, call, print. The only place that prints.

`main.py` turns errors into sentences and exit codes, `parser.py` declares every command, and each
`*_command.py` runs one. Only the command that was chosen is imported, so `gs-sim --help` starts
without torch.
"""
