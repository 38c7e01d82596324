"""Plans for the Azure cache itself: creation, corrections, persistence."""
