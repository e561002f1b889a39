"""The sections of the settings, and how each becomes rules of the domain.

Names are those of `settings.yaml`, where their meaning stands; `_pct` is a fraction there and
becomes `_fraction` here. No field has a default, so that each stands in one place.
"""
