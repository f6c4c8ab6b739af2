"""What the person reflects: normal, albedo, specular weight and the light of the clip, and the clip under new light."""
