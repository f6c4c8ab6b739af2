"""Light: spherical harmonics, environments, lit spheres. Numpy alone at import, so that Blender reads it too.

Everything is in linear Rec.709 and, unless a name says otherwise, in the camera frame: x right, y up, z to the viewer.
"""
