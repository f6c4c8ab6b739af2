"""What the add-on knows of Blender, of the engine's environment and of the jobs that run in it."""
