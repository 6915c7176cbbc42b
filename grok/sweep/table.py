"""One Parquet table of a sweep: a row a run, failed ones too, for pandas, polars and DuckDB.

It holds results only. Times, workers and attempts are in ``records.jsonl``, so that a sweep that was stopped, lost
workers, or ran on other machines of the same kind has the same table.

While a sweep runs, the rows of finished runs are appended to ``parts/`` (``Parts``), a file for each row group. At its
end ``write`` puts the parts and the table of before in order. So no row is made twice, and the table is not written
again for each run. A part, like the table, is there whole or not at all; rows that a kill took with it are made again
from the folders of their runs.
"""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from grok import files
from grok.errors import GrokError
from grok.recipe import Recipe
from grok.sweep.plan import digest, without_seeds
from grok.sweep.row import row, schema
from grok.sweep.store import Store

ROWS_PER_GROUP = 1000  # bounds memory: a 400-snapshot trajectory is 16 kB
PART_SECONDS = 600.0  # a part may also be smaller, so that a slow sweep shows its rows too
GROUPS_IN_MEMORY = 8
ROWS = {b"grok_rows": b"1"}  # in the files' metadata; raise it when ``row`` changes, so that old rows are made again


class Parts:
    """Appends rows to ``OUT/parts/``, in the order in which they come. Without pyarrow it does nothing."""

    def __init__(self, store: Store):
        self.store = store
        self.rows: dict[str, dict[str, Any]] = {}  # by the run's digest
        self.written = time.monotonic()

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Take rows of runs that are stored as these rows say; write a part if there are enough. Raises OSError."""
        self.rows |= {made["digest"]: made for made in rows}
        if len(self.rows) >= ROWS_PER_GROUP or time.monotonic() - self.written > PART_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write a part of the rows that no part has yet. Raises OSError."""
        rows, self.rows, self.written = list(self.rows.values()), {}, time.monotonic()
        if not rows:
            return
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError:  # ``write`` says so
            return
        last = max((int(path.stem) for path in parts(self.store)), default=0)
        sink = pa.BufferOutputStream()
        pq.write_table(_made(rows), sink, compression="zstd")
        files.write_bytes(self.store.parts / f"{last + 1:06d}.parquet", sink.getvalue())


def parts(store: Store) -> list[Path]:
    """The parts that there are, oldest first."""
    return sorted(store.parts.glob("[0-9]*.parquet"))


def write(store: Store, path: Path) -> int:
    """Write the table of every stored run; returns the number of rows. Raises GrokError without pyarrow.

    Row order: by recipe, then by seed; it does not depend on the order in which runs finished. Rows are copied from
    the table of before and from the parts, which then go. A row is made anew if its run's folder changed since.
    """
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise GrokError(
            f"{path} needs pyarrow: pip install 'grok-claims[cluster]', then the same command; no run is computed again"
        ) from None
    recipes, old = sorted(store.stored(), key=_order), parts(store)
    written = _Written([path, *old])
    if written.are(path, [(digest(recipe), store.folder(recipe)) for recipe in recipes]):
        return len(recipes)
    temporary = path.with_name(f".{path.name}.tmp")
    with open(temporary, "wb") as file:
        with pq.ParquetWriter(file, _schema(), compression="zstd") as writer:
            for i in range(0, max(len(recipes), 1), ROWS_PER_GROUP):
                writer.write_table(written.group(store, recipes[i : i + ROWS_PER_GROUP]))
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    for part in old:
        part.unlink()
    return len(recipes)


class _Written:
    """The rows in some files of this schema; of a run that is in several, the row in the last one."""

    def __init__(self, paths: Sequence[Path]):
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.place: dict[str, tuple[Path, int, int]] = {}  # digest → file, row group, row
        self.time: dict[Path, int] = {}
        self.read = functools.lru_cache(GROUPS_IN_MEMORY)(_read)
        for path in paths:
            try:
                file = pq.ParquetFile(path)
                found = file.schema_arrow
                if not (found.equals(_schema()) and found.metadata == ROWS):
                    continue
                digests = [file.read_row_group(g, columns=["digest"])["digest"] for g in range(file.num_row_groups)]
            except (OSError, pa.ArrowInvalid):  # none there, or damaged: its rows are made again
                continue
            self.time[path] = path.stat().st_mtime_ns
            self.place |= {d: (path, g, i) for g, of in enumerate(digests) for i, d in enumerate(of.to_pylist())}

    def has(self, run: str, folder: Path) -> bool:
        """Whether the row of a run is there, and its folder is as it was then."""
        return run in self.place and folder.stat().st_mtime_ns <= self.time[self.place[run][0]]

    def are(self, path: Path, runs: Sequence[tuple[str, Path]]) -> bool:
        """Whether the file at ``path`` holds the rows of these runs, no others, and all files say the same of them."""
        inside = [run for run, (file, _, _) in self.place.items() if file == path]
        return inside == [run for run, _ in runs] and len(self.time) == 1 and all(self.has(*run) for run in runs)

    def group(self, store: Store, recipes: Sequence[Recipe]) -> Any:
        """The rows of some runs, in their order."""
        import pyarrow as pa

        missing: list[int] = []
        sources: dict[tuple[Path, int], list[tuple[int, int]]] = {}  # row group → (place here, row there)
        for i, recipe in enumerate(recipes):
            if self.has(run := digest(recipe), store.folder(recipe)):
                path, group, at = self.place[run]
                sources.setdefault((path, group), []).append((i, at))
            else:
                missing.append(i)
        found = [self.read(path, group).take([at for _, at in rows]) for (path, group), rows in sources.items()]
        found.append(_made([row(store.folder(recipes[i]), recipes[i]) for i in missing]))
        order = [i for rows in sources.values() for i, _ in rows] + missing
        return pa.concat_tables(found).take(sorted(range(len(order)), key=order.__getitem__)).combine_chunks()


def _read(path: Path, group: int) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(path).read_row_group(group).cast(_schema())  # the files name the items of lists otherwise


def _made(rows: Sequence[dict[str, Any]]) -> Any:
    import pyarrow as pa

    return pa.Table.from_pylist(list(rows), schema=_schema())


def _schema() -> Any:
    import pyarrow as pa

    return schema(pa).with_metadata(ROWS)


def _order(recipe: Recipe) -> tuple[str, int, int]:
    point = json.dumps(without_seeds(recipe).to_json(), sort_keys=True)
    return (f"{recipe.name} {point}", recipe.seed, recipe.split_seed)
