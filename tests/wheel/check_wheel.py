"""Check that the installed wheel works without the repository."""

import subprocess
import sys
from pathlib import Path

import truemed_async
from truemed_async import Truemed
from truemed_async.emulator import Emulator

wheel = Path(sys.argv[1])
assert "site-packages" in truemed_async.__file__, truemed_async.__file__
assert truemed_async.__version__ in wheel.name

with Emulator(sessions=120) as emulator, Truemed(emulator.api_key, base_url=emulator.url) as client:
    assert len(list(client.qualification_sessions.iter())) == 120

script = Path(sys.executable).with_name("truemed")
command = [script, "--env", "emulator", "sessions", "export", "--output", "sessions.csv"]
subprocess.run(command, check=True, timeout=60)
assert len(Path("sessions.csv").read_text(encoding="utf-8").splitlines()) >= 1001

Path("pytest.ini").write_text("[pytest]\n", encoding="utf-8")  # nearer than the repository's settings
test = Path("test_with_the_fixture.py")
test.write_text(
    "def test_fixture(truemed_emulator):\n    assert truemed_emulator.url.startswith('http://127.0.0.1:')\n",
    encoding="utf-8",
)
subprocess.run([sys.executable, "-m", "pytest", "-q", str(test)], check=True, timeout=60)
print(f"{wheel.name}: works")
