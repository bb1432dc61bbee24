"""What the labels of a published table's rows and columns are: classes, models, data sets ..."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from leukreg.audit.figures import figure_named, spelled

Kind = Literal["class", "model", "dataset", "run", "split", "figure"]

_SAID: dict[Kind, str] = {
    "class": "class classes label labels category cell cells cell_type cell_types type subtype "
    "sub_type cell_class class_name class_label diagnosis target klasse classe clase zelltyp "
    "wbc_type leukemia_type",
    "model": "model models method methods classifier classifiers network networks architecture "
    "algorithm approach technique backbone study studies author authors reference references ref "
    "work works paper cnn system models_used model_name modell modele modelo methode metodo",
    "dataset": "dataset datasets data_set data_sets database databases datensatz",
    "run": "fold folds run runs k trial seed iteration k_fold fold_no experiment",
    "split": "set subset phase split partition",
    "figure": "metric metrics measure measures figure performance_metric performance_metrics "
    "performance parameter parameters index criterion evaluation_metric evaluation_metrics score",
}
_MEANT: dict[str, Kind] = {word: kind for kind, words in _SAID.items() for word in words.split()}
SUPPORTS = frozenset(
    {"support", "supports", "test_images", "test_samples", "test_cells", "n_test", "test_n"}
)
"""Headings of the number of test images of a class, as ``spelled``."""
CELLS_OF_TWO = {
    **dict.fromkeys(("tp", "true_positive", "true_positives"), "tp"),
    **dict.fromkeys(("tn", "true_negative", "true_negatives"), "tn"),
    **dict.fromkeys(("fp", "false_positive", "false_positives"), "fp"),
    **dict.fromkeys(("fn", "false_negative", "false_negatives"), "fn"),
}
"""The cells of a matrix of two classes by name."""
_MODEL = re.compile(
    r"net\b|net[\s_-]?(v|b)?\d|vgg|inception|xception|\b(svm|knn|cnn|dnn|ann|mlp|lstm|yolo\w*|vit|swin"
    r"|lda|qda|bert|gpt|deit|convnext|regnet\w*|unet|rf|dt|lr|nb|gnb|sgd|elm)\b|forest|bayes|"
    r"logistic|regression|boost|transformer|ensemble|proposed|ours?\b|classifier|neighbou?rs?|"
    r"perceptron|decision tree|support vector|et al|\[\d+\]|nasnet|model\b|our method|baseline",
    re.IGNORECASE,
)
_CLASS = re.compile(
    r"normal|abnormal|benign|malignant|healthy|leuk\w+|leucemi\w*|\w*blasts?|\w*lymphocytes?|"
    r"\w*monocytes?|\w*neutrophils?|\w*eosinophils?|\w*basophils?|platelets?|erythro\w*|"
    r"\w*myelocytes?|\w*granulocytes?|ig|rbc|wbc|early|pre|pro|all|aml|cml|cll|apl|hem|cancer\w*|"
    r"tumou?rs?|infect\w*|controls?|positive|negative|smudge|artefacts?|artifacts?|others?|bands?|"
    r"segmented|an?a?emia|lymphoma|myeloma|mds|diseased?|patients?|class|cells?|types?|[a-z]|"
    r"(?:non|no|of|and|like|not|im?mature|reactive|typical|atypical|myeloid|lymphoid|hairy|plasma)"
)
"""Words that names of blood cells and diagnoses are made of."""
_RUN = re.compile(r"(fold|run|trial|seed|iteration|k|f)[\s_#=-]*\d{1,3}", re.IGNORECASE)
_SPLIT = re.compile(r"(train(ing)?|val(id(ation)?)?|test(ing)?|hold[\s-]?out)([\s_-](set|data))?")
_KINDS_OF_MEAN = {
    **dict.fromkeys(
        ("macro_avg", "macro_average", "macro_averaged", "macro", "macro_mean"), "macro"
    ),
    **dict.fromkeys(
        ("weighted_avg", "weighted_average", "weighted_averaged", "weighted", "avg_total"),
        "weighted",
    ),
    **dict.fromkeys(("micro_avg", "micro_average", "micro_averaged", "micro"), "micro"),
    **dict.fromkeys(("overall", "total", "all_classes"), "overall"),
    **dict.fromkeys(("average", "avg", "mean", "mean_std", "mean_sd", "mittelwert"), "mean"),
    **dict.fromkeys(("moyenne", "media", "promedio", "average_std", "mean_value"), "mean"),
    **dict.fromkeys(("std", "sd", "standard_deviation", "stdev", "samples_avg"), "none"),
}


_BESIDE_NAME = re.compile(
    r"\s*(?:[(\[]?\s*(?:95 ?% ?CI|(?:mean\s*)?(?:±|\+/-)\s*(?:sd|std)|in %|%)\s*[)\]]?)\s*$",
    re.IGNORECASE,
)


def figure_headed(text: str) -> str | None:
    """As ``figure_named``, of "AUC (95 % CI)" and "Recall (Sensitivity)" too."""
    while (shorter := _BESIDE_NAME.sub("", text)) != text:
        text = shorter
    name, _, other = text.partition("(")
    same = other and figure_named(name) == figure_named(other)
    return figure_named(text) or (figure_named(name) if same else None)


def is_figure(text: str) -> bool:
    """Whether a heading names a figure, a support or a cell of a matrix of two classes."""
    return figure_headed(text) is not None or is_support(text) or spelled(text) in CELLS_OF_TWO


def is_support(text: str) -> bool:
    return spelled(text) in SUPPORTS


def mean_named(text: str) -> str:
    """The kind of a row of means: macro, weighted, micro; "overall" and "mean" do not say which;
    "none" is no mean that could be checked. Empty where it is no such row."""
    return _KINDS_OF_MEAN.get(spelled(text), "")


def kind_of(heading: str, labels: Sequence[str]) -> Kind | None:
    """What labels under a heading are; None where neither says.

    The heading decides where it is a word such as "Model"; otherwise labels do that are all
    of one kind: names of architectures, of blood cells, "fold 3", "test" ...
    """
    said = _MEANT.get(spelled(heading.partition("(")[0]))
    if said is not None and said != "figure":
        return said
    own = [label for label in labels if not mean_named(label) and figure_named(label) is None]
    if not own:
        return "class" if labels else None
    if all(_SPLIT.fullmatch(label.lower().strip()) for label in own):
        return "split"
    if all(_RUN.fullmatch(label.strip()) for label in own):
        return "run"
    models = sum(bool(_MODEL.search(label)) for label in own)
    classes = sum(_is_class(label) for label in own)
    numbered = {label.strip() for label in own} == {str(i) for i in range(len(own))}
    if numbered or (2 * classes >= len(own) and not models):
        return "class"
    return "model" if 2 * models >= len(own) and not classes else None


def _is_class(label: str) -> bool:
    words = re.findall(r"[^\W\d_]+", label.lower())
    is_more = any(len(word) > 1 for word in words) or re.fullmatch(r"[a-zA-Z]\d", label)
    return bool(words and is_more and all(_CLASS.fullmatch(word) for word in words))


def split_named(text: str) -> str:
    """ "test", "validation" or "training"."""
    first = text.strip().lower()[:2]
    return {"tr": "training", "va": "validation"}.get(first, "test")
