"""The settings of a run: read, checked as a whole, and passed to the domain as its rules.

The data flow: `tree` (files), `environment` (overrides), `sections` (types and ranges), `checks`
(contradictions), `load` (all of it, and the report); `doubts` (allowed but odd values).
"""

from infra.settings.load import SettingsSource, default_dotenv, load_settings
from infra.settings.sections.whole import Settings

__all__ = ["Settings", "SettingsSource", "default_dotenv", "load_settings"]
