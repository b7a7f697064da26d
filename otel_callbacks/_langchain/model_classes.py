"""LangChain's classes of models, without importing any: a chain that wraps a model often has the name of its class."""

import sys
from typing import Any

_MODELS = "langchain_core.language_models.base"


def is_model_class(name: str) -> bool:
    """Tell whether a loaded class of models has that name, the application's own included."""
    classes: list[Any] = [getattr(sys.modules.get(_MODELS), "BaseLanguageModel", object)]
    if classes == [object]:
        return False
    for model_class in classes:
        classes.extend(model_class.__subclasses__())
    return any(model_class.__name__ == name for model_class in classes)
