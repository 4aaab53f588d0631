"""The errors a caller may catch.

Each message says what was expected, what was found, where, and what to do; the
command line prints it as it is and exits with 2.
"""


class GsSimError(Exception):
    """Root of every error that gs_sim raises on purpose."""


class InputError(GsSimError):
    """The data or an argument a user gave cannot be used as it is."""


class BagError(InputError):
    """A bag cannot be opened, is damaged, or lacks what is needed from it."""


class MessageError(InputError):
    """One message cannot be decoded: an unknown encoding, or fields that do not add up."""


class OutsideTrajectoryError(InputError):
    """A pose was asked for at a time that the trajectory does not cover."""


class FrameLinkError(InputError):
    """Two coordinate frames are not connected by the transforms at hand."""


class StorageError(GsSimError):
    """A scene or file cannot be read or written: damaged, too new, absurd, or no space."""


class ConfigError(InputError):
    """A setting is unknown, of the wrong type, or out of its bounds."""


class MissingFeatureError(GsSimError):
    """What was asked for needs a package or device that is not here, or is not built yet."""
