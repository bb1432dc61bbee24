"""What is chosen between predictions and figures is said in words."""

from __future__ import annotations

from leukreg.choices import choices

PHASE = {"name": "all", "monitor": None, "restore_best": True}


def test_what_a_recipe_leaves_open_is_said() -> None:
    recipe = {
        "data": {"folds": {"validation": 0.15}},
        "phase": [PHASE],
        "evaluate": {"bootstrap": 1000},
    }
    said = dict(choices(recipe, ("all", "hem")))
    assert said["positive class"].startswith("hem, a guess")
    assert said["answer"] == "the most probable class (of equals the first)"
    assert said["validation images"] == "15 % of what is not tested, drawn anew in each fold"
    assert said["epoch kept"].startswith("that of the lowest validation loss")
    assert said["probabilities"] == "as the network gives them"
    assert said["intervals"] == "1,000 resamples"
    assert "positive class" not in dict(choices(recipe, ("a", "b", "c")))


def test_what_it_says_is_said_too() -> None:
    recipe = {
        "data": {"folds": {"validation_is_test": True, "validation": 0.0}},
        "phase": [PHASE, PHASE | {"name": "last", "restore_best": False}],
        "evaluate": {
            "bootstrap": 0,
            "positive": "all",
            "threshold": {"rule": "f1", "fitted_on": "scored"},
            "calibration": {"method": "temperature"},
            "mc_dropout": {"passes": 30},
        },
    }
    said = dict(choices(recipe, ("all", "hem")))
    assert said["positive class"] == "all (the recipe says so)"
    assert said["answer"] == "all from the probability with the best F1 on the scored images"
    assert said["validation images"] == "the test images themselves"
    assert "; last: the last" in said["epoch kept"]
    assert "30 passes of MC dropout, calibrated on validation images" in said["probabilities"]
    assert said["intervals"] == "none asked for"


def test_phases_that_learn_from_patients_say_what_they_leave() -> None:
    recipe = {"phase": [PHASE | {"bags": 1200}], "data": {}, "evaluate": {}}
    said = dict(choices(recipe, ("all", "hem")))["learned from patients"]
    assert said.startswith("phase all: at most 1,200 cells of one a step")
    assert "the head waits" in said
