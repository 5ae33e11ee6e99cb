"""Training: the one loop, its batches, and the scoring that validation shares with the test."""
