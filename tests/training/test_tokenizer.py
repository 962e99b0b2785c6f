from pathlib import Path

import pytest

from training import tokenizer
from training.data import Chat
from training.rows import Encoder

CHATS = [Chat("What is a river?", "A river is water. It flows to the sea.")]


def test_any_text_survives_encoding_and_decoding() -> None:
    learned = tokenizer.learn(CHATS, 300)
    text = "Grüße, \t 世界 🦊\n\nx"
    assert learned.decode(learned.encode(text).ids) == text


def test_vocabulary_has_the_size_asked_for_and_special_tokens_first() -> None:
    learned = tokenizer.learn(CHATS, 270)
    assert learned.get_vocab_size() == 270
    assert [learned.id_to_token(i) for i in range(5)] == tokenizer.SPECIAL_TOKENS


def test_chat_template_of_transformers_gives_the_ids_that_were_trained_on(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    learned = tokenizer.learn(CHATS, 300)
    tokenizer.save(learned, tmp_path, max_tokens=64)
    loaded = transformers.AutoTokenizer.from_pretrained(tmp_path)
    encoder = Encoder(learned)
    messages = [{"role": "user", "content": " What is a river? "}]
    ids = loaded.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert ids == encoder.bos + encoder.encode(CHATS[0]).prompt


def test_chat_template_renders_system_messages_and_many_turns(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer.save(tokenizer.learn(CHATS, 300), tmp_path, max_tokens=64)
    loaded = transformers.AutoTokenizer.from_pretrained(tmp_path)
    roles = ["system", "user", "assistant", "user"]
    messages = [{"role": role, "content": str(i)} for i, role in enumerate(roles)]
    text = loaded.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    assert text == (
        "<|bos|><|system|>0<|end|><|user|>1<|end|><|assistant|>2<|end|><|user|>3<|end|><|assistant|>"
    )
