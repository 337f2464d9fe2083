"""Puts both sample apps into the wheel, without what builds leave in their folders; all else is in pyproject.toml."""

import ast
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


def left_out() -> tuple[str, ...]:
    """`LEFT_OUT` of conversion/apps/sample.py, read and not imported: what it imports is not here in a build."""
    tree = ast.parse((ROOT / "conversion/apps/sample.py").read_text(encoding="utf-8"))
    values = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "LEFT_OUT"
    ]
    return tuple(ast.literal_eval(values[0]))


class BuildWithApps(build_py):
    """Copies the apps beside the package's modules."""

    def run(self) -> None:
        """Build the package, then copy."""
        super().run()
        if self.editable_mode:
            return
        for name in ("android_app", "ios_app"):
            target = Path(self.build_lib) / "samesight/sample_apps" / name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns(*left_out()))


setup(cmdclass={"build_py": BuildWithApps})
