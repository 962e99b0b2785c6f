"""The dashboards' JSON has the types of Grafana's own schema, as TypeScript checks them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.grafana.generate import texts

pytestmark = pytest.mark.dashboards

PACKAGES = ("@grafana/schema@13.2.3", "typescript@5")
OPTIONS = ("--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext",
           "--moduleResolution", "nodenext", "--target", "es2022")  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("npm"):
        pytest.skip("needs npm")
    folder = tmp_path_factory.mktemp("schema")
    (folder / "package.json").write_text("{}")
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *PACKAGES]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if ran.returncode:
        pytest.skip(f"npm could not install {PACKAGES}: {ran.stderr.strip()[-200:]}")
    return folder


# JSON holds an enumeration's values, where TypeScript wants its members.
SOURCE = """
import { Dashboard } from "@grafana/schema";
type Json<T> = T extends string ? `${T}` : T extends number ? number
  : T extends (infer U)[] ? Json<U>[] : T extends object ? { [K in keyof T]: Json<T[K]> } : T;
export const dashboard: Json<Dashboard> = """


def complaints(folder: Path, text: str) -> str:
    (folder / "dashboard.ts").write_text(SOURCE + text)
    command = ["node_modules/.bin/tsc", *OPTIONS, "dashboard.ts"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("name", texts())
def test_a_dashboard_fits_the_schema(name: str, folder: Path) -> None:
    assert not complaints(folder, texts()[name])


def test_the_check_sees_what_does_not_fit(folder: Path) -> None:
    text = texts()["overview.json"]
    assert "type 'number'" in complaints(folder, text.replace(": 39,", ': "39",'))
    assert "gridPoz" in complaints(folder, text.replace("gridPos", "gridPoz"))
