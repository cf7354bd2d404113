from .files import render_world as render_world
from .places import PLACES as PLACES
from .presets import PRESETS as PRESETS
from .presets import Preset as Preset
from .preview import preview_world as preview_world
from .scene import CLASSES as CLASSES
from .scene import Scene as Scene
from .scene import sample_scene as sample_scene
