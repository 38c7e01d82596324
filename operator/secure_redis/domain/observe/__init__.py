"""The facts that one pass read: frozen types, and how Azure's answers are normalised."""
