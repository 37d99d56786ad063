"""How each API writes a reply: a plain body, and the events of a stream."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from tests.scripted.script import Api, Asked, Reply, pieces

Json = dict[str, Any]


class Written:
    """A reply cut to the tokens that its request allows: what was written of it, and why it ended."""

    def __init__(self, asked: Asked, reply: Reply) -> None:
        left = iter(pieces(reply.reasoning) + pieces(reply.text))
        most = islice(left, asked.most)
        self.reasoning = list(islice(most, len(pieces(reply.reasoning))))
        self.text = list(most)
        self.short = next(left, None) is not None
        self.reply, self.asked = reply, asked

    @property
    def output_tokens(self) -> int:
        return len(self.reasoning) + len(self.text)

    def usage(self) -> Json | None:
        reply, given = self.reply, self.asked.input_tokens
        if not reply.usage:
            return None
        if self.asked.api == "anthropic":
            return {
                "input_tokens": given - reply.cached,
                "cache_read_input_tokens": reply.cached,
                "cache_creation_input_tokens": 0,
                "output_tokens": self.output_tokens,
                "output_tokens_details": {"thinking_tokens": len(self.reasoning)},
            }
        return {
            "prompt_tokens": given,
            "completion_tokens": self.output_tokens,
            "total_tokens": given + self.output_tokens,
            "prompt_tokens_details": {"cached_tokens": reply.cached},
            "completion_tokens_details": {"reasoning_tokens": len(self.reasoning)},
        }

    def finish(self) -> str:
        if self.asked.api == "anthropic":
            return "refusal" if self.reply.refusal else "max_tokens" if self.short else "end_turn"
        return "content_filter" if self.reply.refusal else "length" if self.short else "stop"

    def plain(self) -> Json:
        text, reasoning = "".join(self.text), "".join(self.reasoning)
        model, number = self.asked.body["model"], self.asked.number
        if self.asked.api == "anthropic":
            thinking = [{"type": "thinking", "thinking": reasoning, "signature": ""}] if reasoning else []
            content = [*thinking, *([{"type": "text", "text": text}] if text else [])]
            head = {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": model, "content": content}
            end = {"stop_reason": self.finish(), "stop_sequence": None}
            return head | end | ({"usage": self.usage()} if self.reply.usage else {})
        message: Json = {"role": "assistant", "content": text or None}
        if reasoning:
            message["reasoning_content"] = reasoning
        choice = {"index": 0, "message": message, "finish_reason": self.finish(), "logprobs": None}
        head = {"id": f"chatcmpl-{number}", "object": "chat.completion", "created": 0, "model": model}
        return head | {"choices": [choice]} | ({"usage": self.usage()} if self.reply.usage else {})

    def events(self, *, ends: bool = True) -> Iterator[bytes]:
        """The server-sent events of a stream, without the ones that end it where `ends` is False."""
        return self._anthropic(ends) if self.asked.api == "anthropic" else self._openai(ends)

    def _openai(self, ends: bool) -> Iterator[bytes]:
        head = {"id": "chatcmpl", "object": "chat.completion.chunk", "created": 0, "model": self.asked.body["model"]}

        def chunk(delta: Json, finish: str | None = None) -> bytes:
            return _event(head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

        yield chunk({"role": "assistant", "content": ""})
        yield from (chunk({"reasoning_content": piece}) for piece in self.reasoning)
        yield from (chunk({"content": piece}) for piece in self.text)
        if not ends:
            return
        yield chunk({}, self.finish())
        if (self.asked.body.get("stream_options") or {}).get("include_usage") and self.reply.usage:
            yield _event(head | {"choices": [], "usage": self.usage()})
        yield b"data: [DONE]\n\n"

    def _anthropic(self, ends: bool) -> Iterator[bytes]:
        usage = self.usage()
        began = (usage and usage | {"output_tokens": 0}) or {}
        yield _named("message_start", message=self.plain() | {"content": [], "stop_reason": None, "usage": began})
        index = 0
        for kind, field, parts in (("thinking", "thinking", self.reasoning), ("text", "text", self.text)):
            if parts:
                block: Json = {"type": kind, field: ""}
                yield _named("content_block_start", index=index, content_block=block)
                for piece in parts:
                    yield _named("content_block_delta", index=index, delta={"type": f"{kind}_delta", field: piece})
                if ends:
                    yield _named("content_block_stop", index=index)
                index += 1
        if ends:
            end: Json = {"stop_reason": self.finish(), "stop_sequence": None}
            yield _named("message_delta", delta=end, usage={"output_tokens": self.output_tokens} if usage else {})
            yield _named("message_stop")


def error_body(api: Api, error: Json) -> Json:
    return {"type": "error", "error": {"type": "api_error", **error}} if api == "anthropic" else {"error": error}


def error_event(api: Api, error: Json) -> bytes:
    body = error_body(api, error)
    return b"event: error\n" + _event(body) if api == "anthropic" else _event(body)


def _event(value: Json) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def _named(name: str, **value: Any) -> bytes:
    return b"event: " + name.encode() + b"\n" + _event({"type": name, **value})
