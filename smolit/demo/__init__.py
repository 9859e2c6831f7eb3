"""The demo: the main job on real questions with recorded outcomes, measured from outside, as a producer sees it."""
