"""What tasks share whose labels are tokens: losses and texts, token by token.

B examples of one batch, T tokens of the longest.
"""

from typing import Any, ClassVar

from torch import nn

from datainf.core.task import Batch, Example, TokenLosses
from datainf.integrations.tasks.token_losses import one_later
from datainf.integrations.tasks.token_texts import token_texts


class ByToken:
    """Lets a task of the library, with `predictions`, be scored token by token.

    Attributes:
        labelled: The entry of a batch whose tokens the labels stand at.
    """

    labelled: ClassVar[str] = "input_ids"

    def token_losses(self: Any, model: nn.Module, batch: Batch) -> TokenLosses:
        """Compute the loss of every token, and its weight in the example's loss.

        Args:
            model: As for `losses`.
            batch: As for `losses`.

        Returns:
            Losses and weights `[B, T]`, 0 where none is learned.
        """
        found: TokenLosses = self.predictions(model, batch).by_token()
        # Nothing predicts the first token of a text.
        shifted = found.losses.shape[1] < batch["labels"].shape[1]
        return one_later(found) if shifted else found

    def token_texts(self: Any, example: Example) -> list[str]:
        """Write each token that a label may stand at by itself.

        Args:
            example: A row.

        Returns:
            T texts, which together read as the tokens of a batch of the row alone.
        """
        ids = self.collate([example])[self.labelled][0].tolist()
        return token_texts(self.tokenizer, ids)
