"""Cayley tables: of the known groups, and a user's, of which the first failing axiom is told."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grok import task as tasks
from grok.errors import GrokError
from grok.groups import tables
from grok.task import Task

KNOWN = [Task(7), Task(8), Task(3, "dihedral"), Task(6, "dihedral"), Task(4, "symmetric"), Task(5, "alternating")]


@pytest.mark.parametrize("task", [*KNOWN, Task(5, "symmetric")], ids=str)
def test_the_built_in_tables_are_groups(task: Task):
    assert tables.check(task.table()).shape == (task.n, task.n) == (task.n_classes, task.n)


@settings(deadline=None)
@given(st.sampled_from(KNOWN), st.data())
def test_a_table_with_one_wrong_entry_is_no_group(task: Task, data):
    table = task.table().clone()
    a, b = (data.draw(st.integers(0, task.n - 1)) for _ in range(2))
    table[a, b] = (table[a, b] + data.draw(st.integers(1, task.n))) % (task.n + 1)
    with pytest.raises(GrokError, match=r"not closed|no identity|no inverse|not associative") as refusal:
        tables.check(table)
    assert "\n" not in str(refusal.value)


def test_the_numbers_of_the_published_networks():
    elements = tables.permutations(5)
    assert len(set(elements)) == 120
    assert elements[:2] == [(0, 1, 4, 2, 3), (1, 2, 0, 3, 4)]
    assert tables.identity(tables.symmetric(5)) == 20
    assert elements[20:22] == [(0, 1, 2, 3, 4), (1, 2, 3, 4, 0)]


def test_permutations_compose_from_left_to_right():
    elements = tables.permutations(4)
    a, b = elements.index((1, 0, 2, 3)), elements.index((0, 2, 1, 3))
    assert elements[int(tables.symmetric(4)[a, b])] == (2, 0, 1, 3)  # 0 goes to 1, and then to 2


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("0,1\n1,2", r"not closed: 1∘1 = 2, expected 0 … 1"),
        ("0,0\n0,0", r"no identity: 0 is nearest, but 0∘1 = 0 and 1∘0 = 0"),
        ("0,1\n1,1", r"no inverse: there is no x with 1∘x = x∘1 = 0, the identity"),
        # a loop: every equation has one solution, and it has an identity
        (
            "0,1,2,3,4\n1,0,3,4,2\n2,4,0,1,3\n3,2,4,0,1\n4,3,1,2,0",
            r"not associative: \(1∘1\)∘2 = 2, 1∘\(1∘2\) = 4",
        ),
        ("0,1\n1", "row 2 has 1 entries, expected 2"),
        ("0,1\n1,x", "row 2 holds .* expected whole numbers"),
        ("0,1\n1,99999999999999999999", "a number is too large, expected 0 … 1"),
        ("", "it is empty"),
    ],
)
def test_what_is_no_group_is_told(tmp_path: Path, rows: str, reason: str):
    path = tmp_path / "table.csv"
    path.write_text(rows)
    with pytest.raises(GrokError, match=reason) as refusal:
        tables.read_csv(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)


def test_a_missing_file_is_told(tmp_path: Path):
    with pytest.raises(GrokError, match="cannot be read as CSV"):
        tables.read_csv(tmp_path / "none.csv")


def test_a_group_of_the_users_is_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "table.csv"
    path.write_text("\n".join(",".join(map(str, row)) for row in tables.dihedral(4).tolist()))
    monkeypatch.setitem(tasks.LAWS, "mine", tasks.group_of(tables.read_csv(path)))
    task = Task(8, "mine")  # type: ignore[arg-type]
    assert torch.equal(task.labels(), Task(4, "dihedral").labels())
    assert task.blocks is task.blocks is not None
    assert task.blocks.sizes == (1, 1, 1, 1, 4)
