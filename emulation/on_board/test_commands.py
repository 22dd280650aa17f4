"""The commands on this board, as a person would type them, children and all."""

import json
import subprocess
import sys

DOCUMENTS = ["The heron waits in the reeds.", "Compress a file with gzip.", "Descale the kettle."]


COMMAND = "import sys; from edge_mrl.cli.main import main; sys.exit(main())"


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, arguments)], capture_output=True, text=True
    )


def edge_mrl(*arguments):
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_build_search_and_reslice(static_bundle, tmp_path):
    corpus, index = tmp_path / "corpus.jsonl", tmp_path / "i.db"
    rows = [{"_id": str(n), "text": text} for n, text in enumerate(DOCUMENTS)]
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows))
    edge_mrl("build", index, "--bundle", static_bundle, "--input", corpus, "--profile", "auto")
    assert DOCUMENTS[1] in edge_mrl("search", index, "zip an archive", "-k", "1")
    small = tmp_path / "small.db"
    edge_mrl("reslice", index, "--dim", "64", "-o", small)
    assert json.loads(edge_mrl("stats", small, "--json"))["documents"] == 3


def test_doctor_tries_every_variant_and_none_kills_its_process(facts, static_bundle):
    done = run("doctor", static_bundle, "--json")
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}
    # Variants for the engines of this board's other installations cannot run.
    assert done.returncode == any(finding["ok"] is False for finding in findings.values())
    assert facts["model"] in findings["machine"]["detail"]
    assert facts["kernels"][-1] in findings["kernel"]["detail"]
    assert findings["sqlite"]["ok"]
    tables = [one for name, one in findings.items() if name.startswith("variant table")]
    assert tables and all(one["ok"] for one in tables)
    assert "the process died" not in done.stdout
