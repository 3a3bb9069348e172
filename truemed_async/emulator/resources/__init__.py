"""The resources of the API: entities, stores and routes, one file each; ``state`` holds them together."""
