"""The parts that are changed, and the crates in which they are built: with no more than they need, so that it takes seconds."""

import pathlib
import re
import shutil
import tomllib
import typing


class Part(typing.NamedTuple):
    """A module that is changed."""

    # What must be there for it to compile, itself included.
    modules: list
    # The tests that run.
    tests: list
    # What of it is changed.
    files: list = ["**/*.rs"]
    # The parts of it that are there; all without any.
    kept: list = []


PARTS = {
    "domain": Part(["domain"], ["domain"]),
    "budget": Part(["domain", "budget"], ["budget"]),
    "pricing": Part(["domain", "pricing"], ["pricing"]),
    "views": Part(["domain", "budget", "views"], ["views"]),
    # Of the following what decides. The rest moves bytes, threads and clocks, and is tested with the built program.
    "fleet": Part(
        ["domain", "budget", "fleet"], ["fleet"], ["lease.rs", "others.rs", "pool.rs", "share.rs"],
        ["bounds", "lease", "others", "pool", "share", "simulation"],
    ),
    "writer": Part(
        ["budget", "clock", "domain", "error_chain", "ledger", "pricing", "views", "wire", "writer"],
        ["writer"],
        ["calls.rs", "decide.rs", "draft.rs", "exhausted.rs", "gate.rs", "memory.rs", "notices.rs", "rate.rs", "recent.rs", "reserve.rs",
         "tally.rs", "trace.rs"],
    ),
    # What locks, syncs and copies files is tested with the built program: what survives there says little.
    "ledger": Part(["domain", "error_chain", "ledger"], ["ledger"]),
}
FOLDER = pathlib.Path("target/mutants").resolve()


def crate(part):
    """The crate with nothing but the part and what it uses; what was built of it before is kept."""
    folder = FOLDER / part
    shutil.rmtree(folder / "src", ignore_errors=True)
    (folder / "src").mkdir(parents=True)
    for module in PARTS[part].modules:
        source = pathlib.Path("src") / module
        if source.is_dir():
            shutil.copytree(source, folder / "src" / module)
        else:
            shutil.copy(source.with_suffix(".rs"), folder / "src")
    if PARTS[part].kept:
        keep(folder / "src" / part, PARTS[part].kept)
    text = "".join(file.read_text() for file in (folder / "src").rglob("*.rs"))
    (folder / "src/lib.rs").write_text("#![allow(warnings)]\n" + "".join(f"pub mod {module};\n" for module in PARTS[part].modules))
    shutil.copytree(".cargo", folder / ".cargo", dirs_exist_ok=True)
    shutil.copy("Cargo.lock", folder)
    (folder / "Cargo.toml").write_text(manifest(part, text))
    return folder


def keep(folder, kept):
    """Takes the other parts out of a module."""
    for path in folder.iterdir():
        if path.is_dir() and path.name not in kept:
            shutil.rmtree(path)
        elif path.is_file() and path.stem not in ("mod", *kept):
            path.unlink()
    names = re.compile(r"^(?:pub )?(?:mod|use) (\w+)(?:;|::)")
    lines = [(line, names.match(line)) for line in (folder / "mod.rs").read_text().splitlines(keepends=True)]
    (folder / "mod.rs").write_text("".join(line for line, named in lines if not named or named[1] in kept))


def manifest(part, text):
    """The manifest, with those dependencies only that the sources name."""
    def is_used(line):
        name = line.split(" ")[0].replace("-", "_")
        return re.search(rf"(?<![\w:.]){name}::", text) is not None

    whole = pathlib.Path("Cargo.toml").read_text()
    edition = tomllib.loads(whole)["package"]["edition"]
    lines = [f'[package]\nname = "{part}"\nedition = "{edition}"\n[lib]\ndoctest = false']
    for heading in ("dependencies", "dev-dependencies"):
        lines.append(f"[{heading}]")
        table = whole.split(f"\n[{heading}]\n")[1].split("\n[")[0]
        lines += [line for line in table.splitlines() if line and line[0] != "#" and is_used(line)]
    # As the crate's own development profile, without what only a debugger needs.
    lines += ["[profile.dev]", "debug = false", '[profile.dev.package."*"]', "opt-level = 2", "[workspace]"]
    return "\n".join(lines) + "\n"
