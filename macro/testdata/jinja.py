"""Writes jinja.json: what Jinja makes of the templates in jinja.txt, one a line.

    python3 -m venv v && v/bin/pip install jinja2==3.1.6 && v/bin/python macro/testdata/jinja.py

A template that fails has null. TestJinja compares.
"""
import json
import pathlib

import jinja2

here = pathlib.Path(__file__).parent
conf = {"q": "it's \"x\"\n\t\\\aé\u200b🎉\x7f", "nl": "a\nb\r\tc\b\f/<>&'"}
env = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
rows = []
for line in (here / "jinja.txt").read_text(encoding="utf-8").splitlines():
    try:
        want = env.from_string(line).render(conf=conf, dag_run={"conf": conf})
    except Exception:
        want = None
    rows.append({"template": line, "want": want})
out = json.dumps({"conf": conf, "rows": rows}, indent=1, ensure_ascii=True)
(here / "jinja.json").write_text(out + "\n", encoding="utf-8")
