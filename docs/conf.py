"""How the documentation site is built: strictly, from Markdown, with nothing loaded from elsewhere."""

from importlib.metadata import version as installed

project = "cloudistill"
author = "the cloudistill authors"
release = version = installed("cloudistill")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["tables.py"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "cloudistill"
html_copy_source = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
smartquotes_action = "qe"  # a flag keeps both of its dashes
