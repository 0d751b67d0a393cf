"""The demo: a made-up contact centre behind the real gateway, with real processes and a scripted model."""
