"""Led rotation: when a key is regenerated, and how every consumer gets the new one before the old one dies."""
