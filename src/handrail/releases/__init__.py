"""A release is prompt, model route, parameters and guard settings, by digest."""
