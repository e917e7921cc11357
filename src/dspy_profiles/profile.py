# MOVED: import from dspy_profiles.resolved instead (a module called `profile` would shadow the public function). This file goes away in minutes.
from dspy_profiles.resolved import *  # noqa
from dspy_profiles.resolved import split_key, join_key  # noqa
