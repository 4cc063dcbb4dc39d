"""Where a batch of answers stands: keys and values of all that was read and written, and the logits of what comes next."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rerank_cli.inference.framing import Begun


class DecoderState:
    """n answers of a transformers model; `logits (n, vocabulary)` float32 of each one's next token.

    Rows are padded on the left, so that all grow at the same end; a masked place is seen by nobody and has no position.
    """

    def __init__(self, model: Any, begun: Sequence[Begun]) -> None:
        """Read the prompts: one call of the model, two where an encoder reads them."""
        import torch
        from transformers.cache_utils import DynamicCache, EncoderDecoderCache

        self._model = model
        config = model.config
        self._reading: dict[str, Any] = {}
        self._cache: Any = DynamicCache(config=config)
        takes = inspect.signature(model.forward).parameters
        self._last = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}
        self._has_positions = "position_ids" in takes
        rows = [one.read for one in begun]
        with torch.inference_mode():
            if config.is_encoder_decoder:
                # Several answers to one prompt read it once.
                number = {tuple(row): at for at, row in enumerate(dict.fromkeys(map(tuple, rows)))}
                ids, mask = self._padded(list(number))
                states = model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
                if len(number) < len(rows):
                    places = torch.tensor([number[tuple(row)] for row in rows], device=ids.device)
                    states, mask = states[places], mask[places]
                self._reading = {"encoder_outputs": (states,), "attention_mask": mask}
                self._cache = EncoderDecoderCache(self._cache, DynamicCache(config=config))
                rows = [[config.decoder_start_token_id, *one.answer] for one in begun]
            ids, self._mask = self._padded(rows)
            self.logits = self._forward(ids)

    def go_on(self, kept: Sequence[int], chosen: Sequence[int]) -> None:
        """Leave all rows but `kept`, and go on with the token `chosen` for each of them; one call of the model."""
        import torch

        with torch.inference_mode():
            if len(kept) < len(self._mask):
                places = torch.tensor(kept, device=self._mask.device)
                self._cache.batch_select_indices(places)
                self._mask = self._mask[places]
                if self._reading:
                    (states,), mask = self._reading["encoder_outputs"], self._reading["attention_mask"]
                    self._reading = {"encoder_outputs": (states[places],), "attention_mask": mask[places]}
            self._mask = torch.cat([self._mask, self._mask.new_ones(len(kept), 1)], 1)
            self.logits = self._forward(torch.tensor(chosen, device=self._mask.device)[:, None])

    def _forward(self, ids: Any) -> Any:
        own: dict[str, Any]
        if self._reading:
            own = {"decoder_input_ids": ids, "decoder_attention_mask": self._mask, **self._reading}
        else:
            own = {"input_ids": ids, "attention_mask": self._mask}
            if self._has_positions:
                own["position_ids"] = (self._mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        out = self._model(**own, **self._last, past_key_values=self._cache, use_cache=True)
        return out.logits[:, -1].float()

    def _padded(self, rows: Sequence[Sequence[int]]) -> tuple[Any, Any]:
        """Rows and their mask (n, longest), padded on the left."""
        import torch

        longest = max(map(len, rows))
        ids = torch.tensor([[0] * (longest - len(row)) + list(row) for row in rows])
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
        return ids.to(self._model.device), mask.to(self._model.device)
