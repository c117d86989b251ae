# SPDX-License-Identifier: Apache-2.0
"""How Sphinx builds these pages (`make docs`)."""

from importlib.metadata import version as installed_version

project = "mucg4"
author = "the mucg4 contributors"
copyright = author
version = release = installed_version("mucg4")

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "index"
myst_heading_anchors = 3
html_theme = "alabaster"
html_theme_options = {"description": "incremental verification of compressed neural networks"}
