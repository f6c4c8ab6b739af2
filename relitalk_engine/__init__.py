"""The ReliTalk engine: one clip of one person in, that person saying anything under any light, out.

It knows nothing of Blender. Import of this package is cheap: heavy parts are loaded where they are used.
"""

from .version import __version__

__all__ = ["__version__"]
