"""The driven mouth area: painted from the driven normals and the clip's own mouths, joined to the clip."""
