"""Speech2Face, reproduced: from a voice to a face feature to a picture, on people who never existed.

Importing the package imports none of its rooms. From the ground up, each uses only rooms above it:
"""

from s2f_lib.rooms import overview

__version__ = "1.0.0"
__doc__ = f"{__doc__}\n{overview()}\n"
