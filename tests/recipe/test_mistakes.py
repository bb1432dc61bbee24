"""Every mistake is found, placed, and shown with what was probably meant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from leukreg.errors import Problem, Problems
from leukreg.recipe import parse
from leukreg.registry import BrokenPlugin, Owner, Registry

Change = tuple[str, str]


def problems(text: str, registry: Registry) -> tuple[Problem, ...]:
    with pytest.raises(Problems) as caught:
        parse(text, Path("r.toml"), registry=registry)
    return caught.value.problems


def test_the_look_of_a_mistake(registry: Registry) -> None:
    text = '[loss]\nuse = "focal"\ngama = 2.0\n'
    assert (
        "r.toml:3  loss.gama: no such option of loss 'focal' (from leukreg-test)\n"
        "  3 | gama = 2.0\n"
        "    | ^^^^ did you mean 'gamma'?"
    ) in [str(problem) for problem in problems(text, registry)]


def test_all_at_once_in_the_order_of_the_file(good: str, registry: Registry) -> None:
    text = good.replace("k = 5", "k = 1").replace("gamma = 2.0", "gama = 2.0")
    text = text.replace("batch_size = 16", 'batch_size = "many"').replace("epochs = 15", "epochs=0")
    with pytest.raises(Problems) as caught:
        parse(text, Path("r.toml"), registry=registry)
    lines = [int(str(p.where).split(":")[1]) for p in caught.value.problems]
    assert len(lines) == 4
    assert lines == sorted(lines)
    assert str(caught.value).endswith("4 problems; nothing was run.")


@pytest.mark.parametrize(
    ("change", "shown", "message"),
    [
        # unknown keys and names
        (("seed = 4", "sed = 4"), "sed", "did you mean 'seed'"),
        (("[training]", "[trainig]"), "trainig", "did you mean 'training'"),
        (("batch_size = 16", "batchsize = 16"), "batchsize", "no such key of [training]"),
        (("stratify = true", "stratified = true"), "stratified", "did you mean 'stratify'"),
        (("attention =", "atention ="), "atention", "did you mean 'attention'"),
        (("patience = 3", "patiense = 3"), "patiense", "did you mean 'patience'"),
        (("passes = 30", "pases = 30"), "pases", "did you mean 'passes'"),
        (("per_class = 4", "per_clas = 4\nper_class = 4"), "per_clas", "did you mean 'per_class'"),
        (("limit = 0.25", "limits = 0.25"), "limits", "did you mean 'limit'"),
        (('"focal"', '"focl"'), '"focl"', "did you mean 'focal'"),
        (('attention = "se"', 'attention = "sea"'), '"sea"', "did you mean 'se'"),
        (('"accuracy"', '"acuracy"'), '"acuracy"', "did you mean 'accuracy'"),
        (('rule = "leak"', 'rule = "leek"'), '"leek"', "did you mean 'leak'"),
        (("[audit.rules.leak]", "[audit.rules.leek]"), "leek", "did you mean 'leak'"),
        (("[[audit.waive]]", "[[audit.waived]]"), "waived", "did you mean 'waive'"),
        (("training.batch_size =", "training.batchsize ="), "batchsize",
         "did you mean 'training.batch_size'"),
        # wrong types
        (("schema = 1", "schema = 2"), "2", "must be 1, not 2"),
        (("seed = 4", "seed = 4.5"), "4.5", "an integer at least 0"),
        (("seed = 4", "seed = true"), "true", "an integer at least 0"),
        (("stratify = true", "stratify = 1"), "1", "must be true or false, not 1"),
        (("gamma = 2.0", 'gamma = "2"'), '"2"', 'must be a number at least 0, not "2"'),
        (("  4,\n", '  "x",\n'), '"x"', "a list of integers at least 1 of at least 1"),
        (("[[audit.waive]]", "[audit.waive]"), "waive", "[[audit.waive]] tables"),
        (('metrics = ["accuracy"]', 'metrics = "accuracy"'), '"accuracy"', "list of metrics"),
        (('attention = "se"', "attention = 3"), "3", "must name a attention"),
        (('"not stated"', "7"), "7", "must be the reason"),
        (("use = \"warp\"", "use = 7"), "7", "must be a string, not 7"),
        (("unfreeze = 0", "unfreeze = true"), "true", 'an integer, a number or "all"'),
        # out of range
        (("k = 5", "k = 1"), "1", "must be an integer at least 2, not 1"),
        (("lr = 1e-5", "lr = 0"), "0", "must be a number above 0, not 0"),
        (("unfreeze = 0", "unfreeze = -1"), "-1", "at least 0"),
        (("unfreeze = 0", "unfreeze = 1.5"), "1.5", "between 0 and 1"),
        (("depth = 4", "depth = 10"), "10", "at least 1 and at most 9"),
        (("passes = 30", "passes = 1"), "1", "an integer at least 2"),
        (('"data/all"', '"data/all"\nbroken = "mend"'), '"mend"', '"stop" or "skip"'),
        (("seed = 4", "seed = 4\nimage = { size = 4 }"), "4", "at least 8 and at most 4096"),
        (('  8, # eight\n  4,', "  4,\n  8,"), "mlp", "widths must fall"),
        # contradictions
        (("k = 5", "k = 5, test = 0.3"), "0.3", "does not go with k"),
        (("k = 5", 'use = "given", k = 5'), "5", "the source says"),
        (("k = 5", "validation_is_test = true, validation = 0.1"), "0.1", "does not go with"),
        (('name = "all"', 'name = "head"'), '"head"', "already the name of phase.0"),
        (('rule = "f1"', 'rule = "f1", value = 0.3'), "0.3", 'write rule = "fixed"'),
        (('rule = "f1"', 'rule = "fixed", fitted_on = "scored"'), '"scored"', "nothing is fitted"),
        (("k = 5", "validation = 0"), "threshold", "no validation rows to fit it on"),
        (('positive = "ALL"', 'positive = "all"'), '"all"', "there is no class"),
        (('classes = ["ALL"]', 'classes = ["all"]'), '"all"', "there is no class"),
        (('classes = ["ALL"]', 'classes = ["ALL", "ALL"]'), '"ALL"', "stands here twice"),
        (('classes = ["ALL"]', "classes = []"), "[]", "names no class"),
        (("per_class = 4", "per_class = { ALL = 4, AML = 3 }"), "3", "is not among the classes"),
        (("per_class = 4", "per_class = {}"), "per_class", 'gives no number for class "ALL"'),
        (("per_class = 4", "per_class = { ALL = 0 }"), "0",
         "per_class.ALL: must be an integer at least 1, not 0"),
        (("per_class = 4", "per_class = 4\ngate = 3"), "3", "must be true, false or a table"),
        (("per_class = 4", "per_class = 4\ngate = { kidd = 3 }"), "kidd", "did you mean 'kid'"),
        (("per_class = 4", 'per_class = 4\ngate = { extractor = "sells:a" }'), '"sells:a"',
         "no extractor"),
        (("per_class = 4", "per_class = 4\ngate = { copies = 1.0 }"), "1.0", "below 1"),
        (("per_class = 4", 'per_class = 4\nplace = "before-split"\nseed = 3'), "3", "before-split"),
        (('use = "focal"', 'use = "focal"\nfallback = "focal"'), "fallback", "is never taken"),
        (('metrics = ["accuracy"]', 'metrics = ["accuracy", "accuracy"]'), '"accuracy"', "twice"),
        (('reason = "known"', 'reason = " "'), '" "', "must say why"),
        (('reason = "known"', 'reason = "a"\n[[audit.waive]]\nrule = "leak"\nreason = "b"'),
         '"leak"', "already waived"),
        (("limit = 0.25", 'use = "leak"'), '"leak"', "has no place here"),
        (('name = "all"', 'name = "a/b"'), '"a/b"', "is no name for files"),
        (("seed = 4", 'seed = 4\nname = ".."'), '".."', "is no name for files"),
        (("unfreeze = 0", "unfreeze = 0\nlayer_decay = 0.7"), "0.7", "no stage to slow down"),
        (("unfreeze = 0", "unfreeze = 0\nmixup = 0.2"), "0.2", "features that were computed of"),
        (("unfreeze = 0", "unfreeze = 0.0\ncutmix = 1.0"), "1.0", "features that were computed of"),
        (("patience = 3", 'ema = 0.99\nmonitor = "train_loss"'), "0.99", "restore_best = false"),
        (("unfreeze = 0", "unfreeze = 0\nbags = 0"), "0", "must be an integer at least 1"),
        (("k = 5", "k = 5, validation = 0"), "threshold", "no validation rows"),
        # missing
        (('[synthesis]\nuse = "warp"\n', "[synthesis]\n"), "synthesis", "plugins are"),
        (("per_class = 4\n", ""), "synthesis", "is missing; [synthesis] needs an integer"),
        (('root = "data/all"\n', ""), "data", "needs a string"),
        (('optimizer = { use = "adamw", lr = 1e-3 }', 'optimizer = "adamw"'), "optimizer",
         "needs a number above 0"),
    ],
)  # fmt: skip
def test_one_mistake(
    change: Change, shown: str, message: str, good: str, registry: Registry
) -> None:
    assert change[0] in good
    (problem,) = problems(good.replace(*change, 1), registry)
    assert message in str(problem)
    assert problem.where is not None
    assert re.fullmatch(r"r\.toml:\d+", problem.where)
    assert problem.excerpt is not None
    line, pointer = problem.excerpt.split("\n")[:2]
    marked = line[pointer.index("^") : pointer.rindex("^") + 1]
    assert shown in marked


def test_mistakes_of_a_gate_are_told_together(good: str, registry: Registry) -> None:
    gate = 'per_class = 4\ngate = { extractor = "sells", kid = -3 }'
    found = problems(good.replace("per_class = 4", gate, 1), registry)
    assert sorted(problem.message.partition(":")[0] for problem in found) == [
        "synthesis.gate.extractor",
        "synthesis.gate.kid",
    ]


def test_more_than_two_classes(good: str, registry: Registry) -> None:
    found = problems(good.replace('"ALL" = [', '"AML" = ["x"]\n"ALL" = ['), registry)
    assert [problem.message.partition(":")[0] for problem in found] == [
        "evaluate.positive",
        "evaluate.threshold",
    ]
    assert all('there are "Benign", "AML", "ALL"' in problem.message for problem in found)


def test_patients_may_have_two_classes_where_cells_have_three() -> None:
    three = """
schema = 1
loss = "cross-entropy"
phase = [{ name = "head", unfreeze = 0, epochs = 1, optimizer = "adamw" }]
model = { backbone = { use = "cellnet", weights = "random" }, head = "linear" }
data = { use = "folder", root = "x", classes = { a = ["a"], b = ["b"], c = ["c"] } }
evaluate = { positive = "ill", threshold = { rule = "youden" } }
"""
    assert parse(three + 'patients = { aggregator = "attention" }').evaluate.positive == "ill"
    with pytest.raises(Problems, match="only a task of two classes"):
        parse(three)


def test_missing_tables(registry: Registry) -> None:
    shown = "\n".join(str(problem) for problem in problems("schema = 1\n", registry))
    for table in ("data", "model", "loss", "phase"):
        assert f"r.toml  {table}: is missing" in shown


def test_a_file_of_published_figures_alone_is_pointed_to_the_audit(registry: Registry) -> None:
    alone = '[reported]\naccuracy = "0.84"\n'
    more = '[data]\nuse = "demo"\n'
    for text, said in ((alone, True), (alone + more, False), ("schema = 1\n", False)):
        shown = "\n".join(str(problem) for problem in problems(text, registry))
        assert ("`leukreg audit` reads a file that" in shown) == said


@pytest.mark.parametrize(
    "key", ["data", "model", "loss", "phase", "synthesis", "evaluate", "audit"]
)
@pytest.mark.parametrize("value", ["3", "true", "[]", "[1]", '"x"', "[[1]]"])
def test_no_table_at_all(key: str, value: str, good: str, registry: Registry) -> None:
    with pytest.raises(Problems):
        parse(good, overrides=[f"{key}={value}"], registry=registry)


def test_inherited_options_of_a_fallback_are_blamed_once(good: str, registry: Registry) -> None:
    (problem,) = problems(good.replace("depth = 4", "depth = 0"), registry)
    assert "model.backbone.depth" in problem.message
    text = good.replace('weights = "random"', 'weights = "randm"')
    (problem,) = problems(text, registry)
    assert "model.backbone.fallback.weights" in problem.message


def test_a_strangers_odd_annotation_is_no_traceback(good: str, registry: Registry) -> None:
    text = good.replace('use = "focal"\ngamma = 2.0', 'use = "undeclared"')
    (problem,) = problems(text, registry)
    assert "cannot be checked" in problem.message


def test_broken_plugins_are_named_once(good: str, registry: Registry) -> None:
    broken = BrokenPlugin(Owner("leukreg-x", "2.0", "x"), "ImportError: no y")
    half = Registry(registry.manager, registry.owners, registry.entries, (broken,))
    text = good.replace('"focal"', '"x-loss"').replace('"se"', '"x-attention"')
    found = [str(problem) for problem in problems(text, half)]
    assert len(found) == 3
    assert found[-1] == "plugin leukreg-x 2.0 could not be loaded: ImportError: no y"


def test_long_lines_are_cut_around_the_mistake(registry: Registry) -> None:
    padding = "x" * 300
    text = f'loss = {{ use = "focal", gama = 1, alpha = "{padding}" }}\n'
    found = [p for p in problems(text, registry) if "gama" in p.message]
    (line, pointer) = str(found[0].excerpt).split("\n")
    assert len(line) < 120
    assert line[pointer.index("^") : pointer.rindex("^") + 1] == "gama"
