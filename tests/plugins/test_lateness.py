"""The plugin modules load without torch: listing plugins must be fast."""

from __future__ import annotations

import subprocess
import sys

MODULES = (
    "backbones attentions heads losses class_weights samplers optimizers schedules augmentations"
    " preprocessings"
)


def test_plugin_modules_import_nothing_heavy() -> None:
    code = "import sys\n" + "".join(f"import leukreg_plugins.{m}\n" for m in MODULES.split())
    heavy = "{'torch', 'torchvision', 'timm', 'huggingface_hub', 'numpy', 'sklearn'}"
    code += f"print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
