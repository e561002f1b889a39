"""The settings of a run: read, checked as a whole, and handed to the domain as its rules.

The data's way: `tree` (files), `environment` (overrides), `sections` (types and ranges), `checks`
(contradictions), `load` (all of it, and the report); `doubts` (what is allowed and odd).
"""

from infra.settings.load import SettingsSource, default_dotenv, load_settings
from infra.settings.sections.whole import Settings

__all__ = ["Settings", "SettingsSource", "default_dotenv", "load_settings"]
