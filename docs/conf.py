"""How Sphinx builds the site. `make docs` runs it; warnings are errors."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from newt_bench.version import __version__  # noqa: E402 (the path comes first)

project = "newt-bench"
author = "newt-bench maintainers"
copyright = "newt-bench maintainers"  # noqa: A001 (Sphinx's name)
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "site_pages",
]
root_doc = "index"
smartquotes = False
exclude_patterns = ["data", "platforms", "pictures", "site_pages", "static", "stills", "_build"]

# Markdown
myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 4

# Docstrings are Google's, with Markdown's single backticks for code. Neither simulators nor torch are imported, so that
# the site looks the same wherever it is built.
default_role = "code"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_mock_imports = [
    "Box2D",
    "ale_py",
    "dm_control",
    "h5py",
    "imageio",
    "mani_skill",
    "matplotlib",
    "metaworld",
    "mujoco",
    "ogbench",
    "pygame",
    "ray",
    "robodesk",
    "safetensors",
    "sapien",
    "stable_baselines3",
    "tensorboardX",
    "torch",
    "transformers",
]

# Pages
html_theme = "furo"
html_title = f"newt-bench {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "source_repository": "https://github.com/newt-bench/newt-bench/",
    "source_branch": "main",
    "source_directory": "docs/",
    "footer_icons": [],
}
copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True
