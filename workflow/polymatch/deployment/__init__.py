"""Deployment: what a trained model costs."""
