"""``python -m benchmarks [SUBJECT ...]``: measures, prints the figures, and writes them to bench/.

With ``--record`` they replace those in docs/benchmarks/, and docs/measured.md is generated again.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Dict, List, Optional

import django

from benchmarks import page
from benchmarks.harness import ROOT, Context, describe_machine, load_now, render_table

HERE = Path(__file__).resolve().parent


def find_subjects() -> Dict[str, str]:
    """Return the module of each subject, by the subject's name."""
    return {
        path.stem[len("bench_") :]: f"benchmarks.{path.stem}"
        for path in sorted(HERE.glob("bench_*.py"))
    }


def parse(arguments: Optional[List[str]], subjects: Dict[str, str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=", ".join(subjects))
    parser.add_argument("--repeat", type=int, default=3, help="runs to take the median of (3)")
    parser.add_argument(
        "--quick", action="store_true", help="one run with small numbers; writes no files"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--output", type=Path, default=ROOT / "bench", help="folder (bench/)")
    where.add_argument(
        "--record", action="store_true", help="replace the figures that docs/measured.md shows"
    )
    options = parser.parse_args(arguments)
    if options.record:
        if options.quick:
            parser.error("--quick cannot be combined with --record: its figures are too rough")
        options.output = page.RECORDS
    unknown = sorted(set(options.subjects) - set(subjects))
    if unknown:
        parser.error(f"no such subject: {', '.join(unknown)}; there are {', '.join(subjects)}")
    return options


def run_subject(name: str, module: ModuleType, options: argparse.Namespace) -> None:
    machine = describe_machine()
    with Context(options.repeat, options.quick) as context:
        rows = module.run(context)
        machine.update(servers=context.servers, load_at_end=load_now())
    print(f"\n{name}: {module.TITLE}\n\n{render_table(rows)}\n", flush=True)
    if options.quick:
        return
    options.output.mkdir(parents=True, exist_ok=True)
    record = {"title": module.TITLE, "repeat": options.repeat, "machine": machine, "rows": rows}
    path = options.output / f"{name}.json"
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    try:
        from benchmarks.plots import draw

        draw(module.TITLE, rows, options.output / f"{name}.svg")
    except ImportError as error:
        print(f"no plot: {error}; `make bench` installs what it takes", file=sys.stderr)


def main(arguments: Optional[List[str]] = None) -> int:
    subjects = find_subjects()
    options = parse(arguments, subjects)
    # For subjects that measure in this process; those in a process of their own configure it.
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    for name in options.subjects or subjects:
        run_subject(name, importlib.import_module(subjects[name]), options)
    if options.record:
        page.main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
