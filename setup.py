from setuptools import find_packages, setup

# Detectron2 is needed as well, but not on PyPI: scripts/install_detectron2.py installs it. It is
# not a requirement here, so that pip keeps whichever Detectron2 an environment already has.
setup(
    name="rcf_vis",
    version="0.1.0",
    description="Online video instance segmentation via robust context fusion, on Detectron2",
    license="Apache-2.0",
    python_requires=">=3.10,<3.13",
    packages=find_packages(include=["rcf_vis", "rcf_vis.*"]),
    package_data={"rcf_vis": ["py.typed", "weights/*.safetensors", "analysis/report/*.html"]},
    install_requires=[
        "av>=14",
        "fvcore>=0.1.5.post20221221",
        "hydra-core>=1.1",
        "iopath>=0.1.7",
        "jinja2",
        "matplotlib",
        "numba",
        "numpy",
        "omegaconf>=2.1",
        "opencv-python-headless<4.12",  # from 4.12 on it drags an older environment to numpy 2
        "orjson",
        "pillow",
        "portalocker",
        "pycocotools>=2.0.2",
        "safetensors",
        "scipy",
        "setuptools<81",  # Detectron2 0.6 imports pkg_resources
        "tensorboard",
        "tabulate",
        "timm>=1.0.20",
        "torch>=2.3",
        "torchaudio",
        "torchvision",
        "tqdm",
    ],
    extras_require={"dev": ["pytest>=7.0", "pytest-xdist", "ruff~=0.17.0"]},
)
