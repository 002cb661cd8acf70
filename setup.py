"""The packages of the wheel; everything else about it is in pyproject.toml.

The recorded results lie beside the library in the repository and inside it in the wheel, so that a page finds them in
a hosted notebook, too.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["s2f_lib*", "data_scripts*"]), "s2f_lib.results"],
    package_dir={"s2f_lib.results": "results"},
)
