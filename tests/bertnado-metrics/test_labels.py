"""What is said of labels of the wrong kind."""

import numpy as np
import pytest
from bertnado_metrics import get_task

BINARY, MULTICLASS = get_task("binary_classification"), get_task("multiclass_classification")
MULTILABEL, REGRESSION = get_task("multilabel_classification"), get_task("regression")

NAMES = "map the names to 0, 1, ..., n-1 and store the mapping in label2id.json, or in a ClassLabel column"
MISSING = "remove these rows or label them"
ONE_A_ROW = "each row needs one label, a number; for several labels per row use multilabel_classification"
BINARY_ADVICE = "use 0 and 1; for more classes use multiclass_classification, for measured values regression"
LIST_A_ROW = "each row needs a list with a 0 or 1 for every label, of the same length in all rows"


@pytest.mark.parametrize(
    ("task", "labels"),
    [
        (BINARY, [0, 1, 1]),
        (BINARY, [True, False]),
        (BINARY, [0.0, 1.0]),
        (BINARY, (1, 1, 1)),
        (BINARY, np.array([0, 1], dtype=np.uint8)),
        (BINARY, np.array([0, 1.0, True], dtype=object)),
        (MULTICLASS, [0, 3, 1]),
        (MULTICLASS, [2.0, 0.0]),
        (MULTICLASS, np.array([7, 7])),
        (MULTILABEL, [[0, 1], [1, 1]]),
        (MULTILABEL, [[True, False, True]]),
        (MULTILABEL, np.zeros((3, 5), dtype=np.float32)),
        (MULTILABEL, [np.array([0, 1]), np.array([1, 0])]),
        (MULTILABEL, np.array([[0, 1], [1, 0]], dtype=object)),
        (REGRESSION, [0, -100, 2.5]),
        (REGRESSION, [[0.1, 0.2], [0.3, 0.4]]),
        (REGRESSION, np.array([1.5, 2.5], dtype=np.float16)),
    ],
)
def test_labels_of_the_right_kind_are_fine(task, labels):
    assert task.check_labels(labels) == []


@pytest.mark.parametrize(
    ("task", "labels", "message"),
    [
        (
            *(BINARY, [0, 1, 2, 3]),
            f"values other than 0 and 1 in 2 of 4 labels (first: 2 in row 2, counting from 0); {BINARY_ADVICE}",
        ),
        (
            *(BINARY, [0.0, 0.5]),
            f"values other than 0 and 1 in 1 of 2 labels (first: 0.5 in row 1, counting from 0); {BINARY_ADVICE}",
        ),
        (
            BINARY,
            ["promoter", "other"],
            f"text in 2 of 2 labels (first: 'promoter' in row 0, counting from 0); {NAMES}",
        ),
        (BINARY, np.array(["0", "1"]), f"text in 2 of 2 labels (first: '0' in row 0, counting from 0); {NAMES}"),
        (BINARY, [0, "1"], f"text in 1 of 2 labels (first: '1' in row 1, counting from 0); {NAMES}"),
        (BINARY, [0, None, None], f"None in 2 of 3 labels (first: in row 1, counting from 0); {MISSING}"),
        (BINARY, [0, 1, np.nan], f"NaN in 1 of 3 labels (first: in row 2, counting from 0); {MISSING}"),
        (
            *(BINARY, [1, -100, -100]),
            f"-100 (the mark of a missing label) in 2 of 3 labels (first: in row 1, counting from 0); {MISSING}",
        ),
        (BINARY, [[0, 1], [1, 0]], f"labels have the shape (2, 2); {ONE_A_ROW}"),
        (BINARY, [[0], [1]], f"labels have the shape (2, 1); {ONE_A_ROW}"),
        (BINARY, [0, [1, 0]], f"lists in 1 of 2 labels (first: [1, 0] in row 1, counting from 0); {ONE_A_ROW}"),
        (
            *(BINARY, [0, {}]),
            f"values that are not numbers in 1 of 2 labels (first: {{}} in row 1, counting from 0); {BINARY_ADVICE}",
        ),
        (
            *(MULTICLASS, [0, -1, 2]),
            (
                "values other than whole numbers from 0 in 1 of 3 labels (first: -1 in row 1, counting from 0); "
                "number the classes 0, 1, ..., n-1; for measured values use regression"
            ),
        ),
        (
            *(MULTICLASS, [0.25, 2, np.inf]),
            (
                "values other than whole numbers from 0 in 2 of 3 labels (first: 0.25 in row 0, counting from 0); "
                "number the classes 0, 1, ..., n-1; for measured values use regression"
            ),
        ),
        (
            *(MULTICLASS, [2**70, 0]),
            (
                "values that are not numbers in 1 of 2 labels (first: 1180591620717411303424 in row 0, "
                "counting from 0); number the classes 0, 1, ..., n-1; for measured values use regression"
            ),
        ),
        (MULTILABEL, [0, 1], f"labels have the shape (2,); {LIST_A_ROW}"),
        (
            *(MULTILABEL, [[0, 1], [1], [1, 1]]),
            f"1 of 3 rows differ in length from the others (first: in row 1, counting from 0); {LIST_A_ROW}",
        ),
        (
            *(MULTILABEL, [[0, 1], 1, [0, 0]]),
            f"1 of 3 rows differ in length from the others (first: in row 1, counting from 0); {LIST_A_ROW}",
        ),
        (
            *(MULTILABEL, [[0, 1], [3, 1]]),
            (
                "values other than 0 and 1 in 1 of 4 labels (first: 3 in row 1, counting from 0); "
                "list a 1 for each label that applies to the row and a 0 for each that does not"
            ),
        ),
        (MULTILABEL, [[0, 1], [None, 1]], f"None in 1 of 4 labels (first: in row 1, counting from 0); {MISSING}"),
        (
            *(MULTILABEL, [["exon"], ["exon", "intron"]]),
            (
                "text in 3 of 3 labels (first: 'exon' in row 0, counting from 0); "
                f"{NAMES}, then list a 1 or 0 for every name in each row"
            ),
        ),
        (
            *(REGRESSION, [1.0, np.inf]),
            (
                "values other than finite numbers in 1 of 2 labels (first: inf in row 1, counting from 0); "
                "remove these rows or correct their labels"
            ),
        ),
        (REGRESSION, [np.nan, 1.0], f"NaN in 1 of 2 labels (first: in row 0, counting from 0); {MISSING}"),
        (
            *(REGRESSION, ["high"]),
            (
                "text in 1 of 1 labels (first: 'high' in row 0, counting from 0); "
                "convert the text to numbers; for class names use multiclass_classification"
            ),
        ),
    ],
)
def test_labels_of_the_wrong_kind_are_named_with_their_cure(task, labels, message):
    assert task.check_labels(labels) == [message]


@pytest.mark.parametrize("kept_as", [list, lambda labels: np.array(labels, dtype=object)], ids=["list", "array"])
def test_each_kind_of_mistake_is_named_once(kept_as):
    labels = kept_as([0, None, 1, float("nan"), -100, "x", None, 7])
    assert BINARY.check_labels(labels) == [
        f"None in 2 of 8 labels (first: in row 1, counting from 0); {MISSING}",
        f"NaN in 1 of 8 labels (first: in row 3, counting from 0); {MISSING}",
        f"-100 (the mark of a missing label) in 1 of 8 labels (first: in row 4, counting from 0); {MISSING}",
        f"text in 1 of 8 labels (first: 'x' in row 5, counting from 0); {NAMES}",
        f"values other than 0 and 1 in 1 of 8 labels (first: 7 in row 7, counting from 0); {BINARY_ADVICE}",
    ]


@pytest.mark.parametrize("task", [BINARY, MULTICLASS, MULTILABEL, REGRESSION], ids=lambda task: task.name)
@pytest.mark.parametrize("labels", [[], np.array([]), [[], []], np.zeros((0, 3))])
def test_no_labels_are_a_mistake(task, labels):
    assert task.check_labels(labels) == ["there are no labels"]


@pytest.mark.parametrize("labels", ["0101", b"01", 1, None, {"0": 1}, {0, 1}, np.array(1), np.array(None)])
def test_what_is_no_list_of_labels_is_named(labels):
    assert BINARY.check_labels(labels) == [
        f"labels must be a list or an array with one entry per row, got {type(labels).__name__}"
    ]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("task", [BINARY, MULTICLASS, MULTILABEL, REGRESSION], ids=lambda task: task.name)
def test_checking_never_warns(task):
    assert task.check_labels([np.inf, -np.inf, np.nan, 1e300]) != []
