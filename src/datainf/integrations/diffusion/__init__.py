"""Diffusion models: what a pipeline of diffusers denoises, and its loss."""
