"""`make rotation-soak`: many rotations, with canaries in every consumer that must never be refused."""
