"""The package as it is installed. Guards against: a wheel without a file, a version in two spellings, syntax or names that the oldest
supported Python does not have, examples in the README that do not run."""

import ast
import re
import subprocess
import sys
import sysconfig
import textwrap
import unittest
import venv
import zipfile
from pathlib import Path

from support import HERE, SOURCES, Case, within

ROOT = HERE.parent
#: Modules of the standard library in Python 3.9, of which this package may use these.
OURS = sorted((SOURCES / "lead_factory_metrics").glob("*.py"))


class Sources(unittest.TestCase):
    def test_are_python_3_9(self):
        for path in OURS:
            tree = ast.parse(path.read_text(), str(path), feature_version=(3, 9))
            text = path.read_text()
            self.assertNotRegex(text, r"\bmatch .*:\n\s+case ", path.name)
            # Unions written with | are evaluated in annotations, and fail before 3.10.
            for node in ast.walk(tree):
                annotation = getattr(node, "annotation", None) or getattr(node, "returns", None)
                if annotation is not None:
                    self.assertFalse(any(isinstance(part, ast.BitOr) for part in ast.walk(annotation)), f"{path.name}: {ast.unparse(annotation)}")

    def test_use_the_standard_library_only(self):
        known = getattr(sys, "stdlib_module_names", None)
        if known is None:
            library = Path(sysconfig.get_path("stdlib"))
            found = [*library.iterdir(), *(library / "lib-dynload").iterdir()]
            known = {path.name.split(".")[0] for path in found} | set(sys.builtin_module_names)
        for path in OURS:
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
                for name in names:
                    self.assertIn(name.split(".")[0], known, path.name)

    def test_are_short_and_say_what_they_are_for(self):
        for path in OURS:
            text = path.read_text()
            self.assertIsNotNone(ast.get_docstring(ast.parse(text)), path.name)
            self.assertLess(text.count("\n"), 400, path.name)
            self.assertLessEqual(max(map(len, text.splitlines())), 132, path.name)

    def test_do_not_import_each_other_in_circles(self):
        uses = {}
        for path in OURS:
            tree = ast.parse(path.read_text())
            later = {inner for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.If)) for inner in ast.walk(node)}
            imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level and node not in later]
            uses[path.stem] = {node.module or alias.name for node in imports for alias in node.names}

        def reach(name, seen):
            for other in uses.get(name, ()):
                self.assertNotIn(other, seen, f"{seen} → {other}")
                reach(other, [*seen, other])

        for name in uses:
            reach(name, [name])

    def test_load_asyncio_only_for_those_who_ask(self):
        script = "import lead_factory_metrics as l, sys; print('asyncio' in sys.modules, l.aio.record, hasattr(l, 'oops'))"
        environment = {"PYTHONPATH": str(SOURCES), "LEAD_FACTORY_METRICS_URL": "off", "PATH": "/usr/bin"}
        said = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True).stdout
        self.assertRegex(said, r"^False <function record .*> False\n$")

    def test_have_the_version_once(self):
        import lead_factory_metrics

        said = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE).group(1)
        self.assertEqual(lead_factory_metrics.__version__, said)


class Installed(Case):
    def test_the_wheel_has_everything_and_installs_without_a_network(self):
        for _ in range(2):
            subprocess.run([sys.executable, str(ROOT / "build_backend.py"), str(self.folder)], check=True, capture_output=True)
        (wheel,) = self.folder.glob("*.whl")
        names = zipfile.ZipFile(wheel).namelist()
        for path in [*OURS, SOURCES / "lead_factory_metrics" / "py.typed"]:
            self.assertIn(f"lead_factory_metrics/{path.name}", names)
        self.assertIsNone(zipfile.ZipFile(wheel).testzip())

        place = self.folder / "venv"
        venv.create(place, with_pip=True)
        python = str(place / "bin" / "python")
        # An index that does not exist: nothing may be fetched.
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--index-url", "http://127.0.0.1:1/"]
        environment = {**self.environment("off"), "PYTHONPATH": ""}
        show = "import lead_factory_metrics as l, importlib.metadata as m; print(m.version('lead-factory-metrics'), l.__file__)"
        for what in ([str(ROOT)], [str(wheel), "--force-reinstall"], ["--editable", str(ROOT)]):
            done = subprocess.run([*pip, *what], env=environment, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            said = subprocess.run([python, "-c", show], env=environment, capture_output=True, text=True, check=True).stdout
            self.assertIn("0.1.0", said)
            self.assertIn(str(SOURCES) if "--editable" in what else str(place), said)

    def test_the_source_archive_builds_the_same_wheel(self):
        import tarfile

        script = "import build_backend, sys; print(build_backend.build_sdist(sys.argv[1])); print(build_backend.build_wheel(sys.argv[1]))"
        run = [sys.executable, "-c", script, str(self.folder)]
        archive, wheel = subprocess.run(run, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
        with tarfile.open(self.folder / archive) as opened:
            opened.extractall(self.folder / "unpacked")
        (unpacked,) = (self.folder / "unpacked").iterdir()
        subprocess.run([sys.executable, "build_backend.py", str(self.folder / "again")], cwd=unpacked, check=True, capture_output=True)
        self.assertEqual((self.folder / wheel).read_bytes(), (self.folder / "again" / wheel).read_bytes())


class Readme(Case):
    def test_every_python_example_runs(self):
        """Against the real agent; the providers' clients are stand-ins that answer as the SDKs do."""
        agent = self.agent()
        readme = (ROOT / "README.md").read_text()
        examples = [block.partition("\n")[2] for block in readme.split("```")[1::2] if block.startswith("python")]
        self.assertEqual(len(examples), 5)
        stand_ins = """
            import asyncio, sys, types
            sys.path.insert(0, TESTS)
            from answers import ANTHROPIC, OPENAI_CHAT, as_object

            class Sdk:
                def __init__(self, answer):
                    create = types.SimpleNamespace(create=lambda **more: as_object(answer))
                    self.chat = types.SimpleNamespace(completions=create)
                    async def messages(*ignored, **more): return as_object(ANTHROPIC)
                    self.messages = types.SimpleNamespace(create=messages)

            sys.modules["openai"] = types.ModuleType("openai")
            sys.modules["openai"].OpenAI = lambda: Sdk(OPENAI_CHAT)
            client = Sdk(OPENAI_CHAT)
            ask = lambda question: as_object(OPENAI_CHAT)
        """
        code = textwrap.dedent(stand_ins).replace("TESTS", repr(str(HERE)))
        for number, example in enumerate(examples):
            if "await" in example:
                inner, body = example.split("\n", 1)
                example = f"{inner}\nasync def main():\n{textwrap.indent(body, '    ')}\nasyncio.run(main())"
            code += f"\n{example}\nassert flush()\n"
        code += "\nask('Hello')\nassert flush()\nprint(stats()['dropped'])"
        self.assertEqual(self.worker(code, agent.url), "0\n")
        within("they are recorded", lambda: "serper" in agent.get("/costs/daily")[1])


if __name__ == "__main__":
    unittest.main()
