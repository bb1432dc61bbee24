"""What a user of Lightning, fastai or Keras writes for the work that ``peers.py`` times.

One process trains once: a ResNet18 without trained weights on a folder of classes, every fifth
image held out, then the share of those that it gets right. Each is written as that library's own
first tutorial has it, with one loader process beside the training one.

    python peer_loops.py lightning ROOT --size 128 --epochs 3 [--frozen] [--passes 30]
"""

# mypy: ignore-errors
# (the libraries are missing where types are checked)

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

BATCH, RATE, DROPOUT = 32, 1e-3, 0.5


def images(root: Path, size: int, epochs: int) -> tuple[Any, Any, list[str]]:
    """Loaders of the training and the held-out images, decoded from their files in every epoch.

    Where nothing is trained, all images are predicted.
    """
    from leukreg.vision import import_torchvision

    import_torchvision()
    from torch.utils.data import DataLoader, Subset
    from torchvision import transforms as t
    from torchvision.datasets import ImageFolder

    plain = [t.Resize((size, size)), t.ToTensor(), t.Normalize([0.5] * 3, [0.5] * 3)]
    flipped = t.Compose([t.RandomHorizontalFlip(), t.RandomVerticalFlip(), *plain])
    train, test = ImageFolder(root, flipped), ImageFolder(root, t.Compose(plain))
    held = range(0, len(train), 5 if epochs else 1)
    rest = sorted({*range(len(train))} - {*held}) or [*held]
    keep = {"batch_size": BATCH, "num_workers": 1, "persistent_workers": True}
    return (
        DataLoader(Subset(train, rest), shuffle=True, **keep),
        DataLoader(Subset(test, held), **keep),
        train.classes,
    )


def lightning(root: Path, size: int, epochs: int, frozen: bool, passes: int) -> float:
    train, test, classes = images(root, size, epochs)  # makes torchvision importable
    import lightning.pytorch as pl
    import torch
    import torchvision

    class Classifier(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = torchvision.models.resnet18(weights=None)
            self.backbone.fc = torch.nn.Identity()
            self.backbone.requires_grad_(not frozen)
            self.head = torch.nn.Sequential(
                torch.nn.Dropout(DROPOUT), torch.nn.Linear(512, len(classes))
            )

        def forward(self, pixels: Any) -> Any:
            if frozen:
                self.backbone.eval()
            return self.head(self.backbone(pixels))

        def training_step(self, batch: Any, _: int) -> Any:
            return torch.nn.functional.cross_entropy(self(batch[0]), batch[1])

        def predict_step(self, batch: Any, _: int) -> Any:
            if passes:
                self.head.train()
            answers = [self(batch[0]).softmax(1) for _ in range(passes or 1)]
            return (sum(answers).argmax(1) == batch[1]).float()

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW([p for p in self.parameters() if p.requires_grad], RATE)

    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False
    )
    model = Classifier()
    if epochs:
        trainer.fit(model, train)
    return float(torch.cat(trainer.predict(model, test)).mean())


def fastai(root: Path, size: int, epochs: int, frozen: bool, passes: int) -> float:
    from leukreg.vision import import_torchvision

    import_torchvision()
    from fastai.vision import all as fv

    files = fv.get_image_files(root)
    data = fv.ImageDataLoaders.from_path_func(
        root,
        sorted(files),
        fv.parent_label,
        item_tfms=fv.Resize(size, method="squish"),
        batch_tfms=[fv.Flip()],
        splitter=fv.IndexSplitter(range(0, len(files), 5)),
        bs=BATCH,
        num_workers=1,
    )
    learner = fv.vision_learner(data, fv.resnet18, pretrained=False, metrics=fv.accuracy)
    if frozen:
        learner.freeze()
    learner.fit(epochs, RATE)
    if epochs:
        return float(learner.validate()[1])
    loader = data.test_dl(files, with_labels=True)
    answers = [learner.get_preds(dl=loader, cbs=[fv.MCDropoutCallback()]) for _ in range(passes)]
    return float((sum(p for p, _ in answers).argmax(1) == answers[0][1]).float().mean())


def _resnet18(keras: Any, size: int, classes: int) -> tuple[Any, Any]:
    layers = keras.layers

    def convolved(x: Any, width: int, stride: int, side: int = 3) -> Any:
        x = layers.Conv2D(width, side, stride, padding="same", use_bias=False)(x)
        return layers.BatchNormalization(axis=1)(x)

    pixels = x = keras.Input((3, size, size))
    x = layers.MaxPooling2D(3, 2, padding="same")(layers.ReLU()(convolved(x, 64, 2, 7)))
    for width, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        for step in (stride, 1):
            before = x if x.shape[1] == width else convolved(x, width, step, 1)
            x = convolved(layers.ReLU()(convolved(x, width, step)), width, 1)
            x = layers.ReLU()(x + before)
    backbone = keras.Model(pixels, layers.GlobalAveragePooling2D()(x))
    head = layers.Dense(classes)(layers.Dropout(DROPOUT)(backbone(pixels)))
    return backbone, keras.Model(pixels, head)


def keras(root: Path, size: int, epochs: int, frozen: bool, passes: int) -> float:
    os.environ["KERAS_BACKEND"] = "torch"
    import keras as k
    import numpy as np
    import torch

    k.config.set_image_data_format("channels_first")
    train, test, classes = images(root, size, epochs)
    backbone, model = _resnet18(k, size, len(classes))
    backbone.trainable = not frozen
    model.compile(
        optimizer=k.optimizers.AdamW(RATE),
        loss=k.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    if epochs:
        model.fit(train, epochs=epochs, verbose=2)
        return float(model.evaluate(test, verbose=0)[1])
    right = []
    for pixels, targets in test:
        with torch.no_grad():
            answers = [k.ops.softmax(model(pixels, training=True)) for _ in range(passes)]
        right.append(np.asarray((sum(answers).argmax(1) == targets).cpu()))
    return float(np.concatenate(right).mean())


LIBRARIES = {"lightning": lightning, "fastai": fastai, "keras": keras}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("library", choices=[*LIBRARIES])
    parser.add_argument("root", type=Path)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--frozen", action="store_true")
    parser.add_argument("--passes", type=int, default=0)
    args = parser.parse_args()
    begin = time.perf_counter()
    train = LIBRARIES[args.library]
    accuracy = train(args.root, args.size, args.epochs, args.frozen, args.passes)
    print(f"accuracy {accuracy:.3f} after {time.perf_counter() - begin:.1f} s")


if __name__ == "__main__":
    main()
