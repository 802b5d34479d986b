"""A warehouse whose names are attacks, made by the commands that people use."""

from __future__ import annotations

import csv
from pathlib import Path

from interplm_wh import build, store
from interplm_wh.ingest.activations import add_activations
from interplm_wh.ingest.annotations import add_annotations
from interplm_wh.ingest.proteins import add_proteins

TEXTS = (
    "<script>window.__pwned=1;alert(1)</script>",
    "<img src=x onerror=window.__pwned=1;alert(1)>",
    '"><svg/onload=window.__pwned=1;alert(1)>',
    "<iframe src=http://evil.example/x></iframe>",
    "../../etc/passwd",
    "'; drop table proteins; --",
    "[x](javascript:alert(1))",
    "![x](http://evil.example/x.png)",
    "<http://evil.example/y>",
    "http://evil.example/autolink",
    "$x^2$ $$y$$",
    ":material/delete: :red[r] :smile:",
    "`code` **bold** _it_ ~~gone~~",
    "\u202etxt.exe \u2066\u2029",
    "🧬é漢",
    'it\'s \\"quoted\\" \\n \\',
    "datum.x datum.value datum.label",
    '"]+alert(1)+["',
    "'+alert(1)+'",
    "${alert(1)} {{alert(1)}} %s {0}",
    "a.b[0].c",
    "image",
    "other",
    "# heading",
    "- list",
    "1. list",
    "| a | b |",
    "</script><b>x",
    "&lt;b&gt; &#x3c;",
    "__proto__",
    "=1+1",
    "long " + "x" * 2000,
    "two\nlines\tand a tab",
)
_STEERED = {
    "steering_runs": """
        select
            'run' || protein_id as run, '0' as features, 0 as feature, '1' as max_activations, 'clamp' as how,
            '1' as doses, accession, is_private, sequence, length, '1-2' as positions, 2 as n_touched,
            'each' as mask, '1-3' as measured, null as watched, 7 as n_live, 0 as n_controls,
            null as read_saes, 1 as n_samples, 1 as n_sweeps, 1.0 as temperature, '1-3' as resampled,
            0 as seed, (select text from texts limit 1) as plm, 1 as layer, 'float32' as dtype,
            9 as n_passes, 0.5 as seconds, now()::timestamp as started, 'test' as package_version
        from proteins
    """,
    "steering_effects": """
        select
            'run' || protein_id as run, 1.0 as dose, p as position, 'A' as amino_acid, p < 3 as is_touched,
            0.5 as kl, 0.5 as p_true_before, 0.25 as p_true_after, 1.0 as entropy_before,
            2.0 as entropy_after, 'A' as top_before, 'C' as top_after, 0.5 as activation,
            (p < 3)::integer::double as delta_norm, 1.0 as state_norm
        from proteins, range(1, 4) as t (p)
    """,
    "steering_probabilities": """
        select run, dose, position, unnest(['A', 'C']) as letter, 0.5 as p_before, 0.25 as p_after
        from steering_effects
    """,
    "steering_features": """
        select distinct
            run, dose, t.text as read_sae, 0 as feature, true as is_touched, 2 as n_positions, 1 as n_moved,
            0.5 as mean_before, 1.0 as mean_after, 0.5 as mean_change, 1.0 as max_change, 1 as position
        from steering_effects, texts as t
    """,
    "steering_samples": """
        select distinct
            e.run, case when s then 1.0 end as dose, 1 as sample, 0 as feature, s as is_steered,
            t.text as sequence, 1 as n_changed, 2.0 as pseudo_perplexity, 1.0 as max_activation,
            0.5 as mean_activation
        from steering_effects as e, unnest([true, false]) as u (s), (from texts limit 1) as t
    """,
}
_LETTERS = "ACDEFGHIKLMNPQRSTVWY"
_LENGTH = 60


def accession_of(text: str) -> str:
    """Return what of a text may be an accession: no white space, at most 64 characters or so."""
    return "".join("_" if c.isspace() or not c.isprintable() else c for c in text)[:60]


ACCESSIONS = tuple(dict.fromkeys(map(accession_of, TEXTS)))
SAES = ("a", "www.evil.example")  # a name that the commands allow
N_FEATURES = 8


def make(path: Path) -> Path:
    """Make and build it."""
    files = path.parent / "files"
    files.mkdir()
    store.init(path)
    _write_proteins(files / "proteins.csv")
    add_proteins(path, [files / "proteins.csv"])
    _write_annotations(files / "lab.csv")
    add_annotations(path, [files / "lab.csv"])
    for i, sae in enumerate(SAES):
        _write_activations(files / "activations.csv", shift=i)
        add_activations(path, files / "activations.csv", sae=sae, n_features=N_FEATURES)
    with store.write(path, command="test") as tx:  # what `add sae` takes from a model's folder and card
        tx.con.execute(
            "insert into plms by name select $plm as plm, $text as source, 8 as d_model, 2 as n_layers, "
            "100 as window",
            {"plm": TEXTS[1], "text": TEXTS[0]},
        )
        tx.con.execute(
            "update saes set plm = $plm, layer = 1, architecture = $text, source = $text where sae = $sae",
            {"plm": TEXTS[1], "text": TEXTS[2], "sae": SAES[0]},
        )
        tx.publish()
    build.build(path, min_residues=5, min_domains=3)
    _suggest(path)
    _vary(path)
    _steer(path)
    return path


def _suggest(path: Path) -> None:
    """Suggest every concept somewhere: the features here are found for none of them."""
    rows = (
        "select c.concept, 1 as rank, true as is_leading, 0.5 as score, p.protein_id, p.accession, p.split, "
        "p.is_private, 1 as start, 9 as stop, 0 as feature, 0.5 as threshold, 3 as n_firing, "
        "0.7 as max_activation, 1.0 as relative_length, 0.9 as precision, 0.5 as extent, 2 as n_others, "
        "1 as n_agreeing, 3 as n_relatives, 1 as n_carrying from concepts as c inner join proteins as p "
        "on p.protein_id = c.concept_id % (select count(*) from proteins) where c.source = 'lab'"
    )
    counts = (
        "select concept, 1 as n_pairs, 1 as n_stretches, 0 as n_annotated, 0 as n_explained, "
        "1 as n_suggested, 1 as n_leading from concepts where source = 'lab'"
    )
    with store.write(path, command="test") as tx:
        for table, query in (("suggestions", rows), ("suggestion_counts", counts)):
            folder = tx.new_folder(table, sae=SAES[0])
            tx.write_query(folder, query)
            tx.replace(table, [folder], sae=SAES[0])
        tx.publish()


def _vary(path: Path) -> None:
    """Change the second residue of every protein, with effects whose names are attacks."""
    changed = (
        "select p.protein_id, p.accession, substr(p.sequence, 2, 1) || '2W' as variant, p.is_private "
        "from proteins as p where substr(p.sequence, 2, 1) <> 'W'"
    )
    queries = {
        "variants": "select *, 1 as n_mutations, 2 as position, left(variant, 1) as wild_type, 'W' as "
        f"mutant, 0.05 as min_change, 'float32' as dtype, 'test' as package_version from ({changed})",
        "variant_changes": "select protein_id, variant, f.feature, 2 as position, 0.0 as wild_type_value, "
        f"0.5 as mutant_value from ({changed}) cross join range({N_FEATURES}) as f (feature)",
        "variant_measurements": "select protein_id, variant, unnest($texts::varchar[]) as measurement, "
        f"1.5 as measured, null as log_odds from ({changed})",
        "variant_correlations": "select protein_id, unnest($texts::varchar[]) as measurement, "
        "'total_change' as measure, null as feature, 1 as n_variants, 1 as n_changed, 1 as n_positions, "
        "null as spearman, null as spearman_low, null as spearman_high, null as pearson, null as p_value, "
        f"null as q_value, null as n_tried from ({changed})",
    }
    with store.write(path, command="test") as tx:
        for table, query in queries.items():
            folder = tx.new_folder(table, sae=SAES[0])
            tx.write_query(folder, query, {"texts": list(TEXTS[:20])} if "$texts" in query else {})
            tx.replace(table, [folder], sae=SAES[0], fingerprint='{"state": "test", "dtype": "float32"}')
        tx.publish()


def _steer(path: Path) -> None:
    """Steer every protein, with names in all texts that are not our own."""
    with store.write(path, command="test") as tx:
        tx.con.execute("create temp table texts as select unnest($texts) as text", {"texts": list(TEXTS)})
        for table, query in _STEERED.items():
            folder = tx.new_folder(table, sae=SAES[0])
            tx.write_query(folder, query)
            tx.append(folder)
        tx.publish()


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _write_proteins(path: Path) -> None:
    rows: list[dict[str, object]] = []
    for i, accession in enumerate(ACCESSIONS):
        text = TEXTS[i % len(TEXTS)]
        rows.append(
            {
                "accession": accession, "sequence": (_LETTERS[i % 20] + _LETTERS) * 3,
                "name": text, "organism": TEXTS[-1 - i % len(TEXTS)],
                "split": ("valid", "test")[i % 2],
            }
        )  # fmt: skip
    _write(path, rows)


def _write_annotations(path: Path) -> None:
    rows: list[dict[str, object]] = []
    for i, accession in enumerate(ACCESSIONS):
        for j, text in enumerate(TEXTS):
            if (i + j) % 3 == 0:
                start = 1 + (7 * j) % 40
                rows.append(
                    {
                        "accession": accession, "start": start, "stop": start + 9, "concept": text,
                        "category": TEXTS[-1 - j], "note": text, "evidence": text,
                    }
                )  # fmt: skip
    _write(path, rows)


def _write_activations(path: Path, *, shift: int) -> None:
    rows: list[dict[str, object]] = []
    for i, accession in enumerate(ACCESSIONS):
        for feature in range(N_FEATURES):
            for position in range(1 + feature + shift, _LENGTH, 3 + feature):
                rows.append(
                    {
                        "accession": accession, "position": position, "feature": feature,
                        "value": (1 + (i + feature) % 9) / 10,
                    }
                )  # fmt: skip
    _write(path, rows)
