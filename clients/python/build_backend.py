"""Makes the wheel and the source archive of this package (PEP 517, PEP 660), with the standard library only.

    python3 build_backend.py [FOLDER]      # a wheel, in dist/ if no folder is named

The same sources give the same bytes. What is in the wheel: the package as it stands, METADATA from pyproject.toml, this README and
the license.
"""

import base64
import hashlib
import re
import sys
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parent
PACKAGE = "lead_factory_metrics"
#: The earliest that a zip file can say.
EPOCH = (1980, 1, 1, 0, 0, 0)


def _settings():
    """What is needed of pyproject.toml; `tomllib` came with Python 3.11 only."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = dict(re.findall(r'^([a-z-]+) = "(.*)"$', text, re.MULTILINE))
    for key in ("keywords", "classifiers"):
        inside = re.search(rf"^{key} = \[(.*?)\]$", text, re.MULTILINE | re.DOTALL)
        found[key] = re.findall(r'"(.*?)"', inside.group(1))
    return found


SETTINGS = _settings()
STEM = f"{PACKAGE}-{SETTINGS['version']}"


def _metadata():
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {SETTINGS['name']}",
        f"Version: {SETTINGS['version']}",
        f"Summary: {SETTINGS['description']}",
        f"Keywords: {','.join(SETTINGS['keywords'])}",
        f"License-Expression: {SETTINGS['license']}",
        "License-File: LICENSE",
        f"Requires-Python: {SETTINGS['requires-python']}",
        *(f"Classifier: {classifier}" for classifier in SETTINGS["classifiers"]),
        "Description-Content-Type: text/markdown",
    ]
    return ("\n".join(lines) + "\n\n" + (ROOT / "README.md").read_text(encoding="utf-8")).encode()


def _sources():
    found = sorted(path for path in (ROOT / "src" / PACKAGE).iterdir() if path.suffix == ".py" or path.name == "py.typed")
    return {f"{PACKAGE}/{path.name}": path.read_bytes() for path in found}


def _wheel(folder, contents):
    information = f"{STEM}.dist-info"
    wheel = "Wheel-Version: 1.0\nGenerator: lead-factory-metrics\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    contents = {
        **contents,
        f"{information}/METADATA": _metadata(),
        f"{information}/WHEEL": wheel.encode(),
        f"{information}/licenses/LICENSE": (ROOT / "LICENSE").read_bytes(),
    }
    record = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in contents.items()]
    contents[f"{information}/RECORD"] = "\n".join([*record, f"{information}/RECORD,,", ""]).encode()
    name = f"{STEM}-py3-none-any.whl"
    with zipfile.ZipFile(Path(folder) / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in contents.items():
            entry = zipfile.ZipInfo(path, EPOCH)
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return name


def _digest(content):
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return _wheel(wheel_directory, _sources())


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return _wheel(wheel_directory, {f"__editable__.{PACKAGE}.pth": f"{ROOT / 'src'}\n".encode()})


def build_sdist(sdist_directory, config_settings=None):
    name = f"{STEM}.tar.gz"
    contents = {f"src/{path}": content for path, content in _sources().items()}
    for path in ("pyproject.toml", "build_backend.py", "README.md", "LICENSE"):
        contents[path] = (ROOT / path).read_bytes()
    contents["PKG-INFO"] = _metadata()
    with tarfile.open(Path(sdist_directory) / name, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for path, content in sorted(contents.items()):
            entry = tarfile.TarInfo(f"{STEM}/{path}")
            entry.size = len(content)
            archive.addfile(entry, BytesIO(content))
    return name


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "dist")
    target.mkdir(parents=True, exist_ok=True)
    print(target / build_wheel(target))
