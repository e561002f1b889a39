"""The sections of the settings, and how each becomes rules of the domain.

Names are those of `settings.yaml`, which explains them; `_pct` is a fraction there and becomes
`_fraction` here. No field has a default, so that each default is in one place.
"""
