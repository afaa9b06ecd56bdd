"""Quantized evaluation."""
