"""Led rotation: when a key is regenerated, and how the new one reaches every consumer before the old one dies."""
