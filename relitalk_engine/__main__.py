"""`python -m relitalk_engine` is `relitalk`."""

import runpy

runpy.run_module(f"{__package__}.cli", run_name="__main__", alter_sys=True)
