from pathlib import Path

from qaudit.testing import check_framework

test_contract = check_framework(Path(__file__).parent.parent / "acme_model_policy.toml")
