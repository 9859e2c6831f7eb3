"""Forecasts: a series of numbers, the methods that continue it, and how far they have been off before."""
