"""What the fork server imports once, so that its children start at once."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from leukreg.vision import import_torchvision

    import_torchvision()
    import ignite.engine  # noqa: F401
    import sklearn.metrics  # noqa: F401
    import timm  # noqa: F401
