"""deploy/compose.yaml against the schema of the Compose specification."""

import subprocess
import sys

import pytest

from tests.deploy.test_compose import PATH

pytestmark = pytest.mark.deploy


def test_compose_file_follows_the_specification() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    ran = subprocess.run([*check, str(PATH)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
