"""One suite over both clients: what the model port promises, against a real server on this machine."""


def test_a_request_goes_out_and_its_answer_comes_back(bench) -> None:
    async def handler(call) -> None:
        await call.answer(b'{"ok":true}', headers=("x-request-id: r1",))

    async def test(model, site) -> None:
        for turn in (1, 2):
            answer = await model.send(site.ask(b'{"model":"m"}'))
            assert (answer.status, answer.attempts) == (200, 1)
            assert ("x-request-id", "r1") in answer.headers
            assert await answer.read() == b'{"ok":true}'
            call = site.calls[turn - 1]
            assert (call.method, call.target, call.body) == ("POST", "/v1/chat/completions", b'{"model":"m"}')
            assert call.headers["authorization"] == f"Bearer {bench.secret}"
        assert site.connections == 1

    bench.play(handler, test)


def test_a_stream_comes_piece_by_piece_as_the_provider_sends_it(bench) -> None:
    async def handler(call) -> None:
        await call.start_stream()
        await call.chunk(b"data: 1\n\n")
        await call.reader.readexactly(0)
        await call.chunk(b"data: 2\n\n")
        await call.end_stream()

    async def test(model, site) -> None:
        answer = await model.send(site.ask(stream=True))
        assert b"".join([data async for data in answer.chunks()]) == b"data: 1\n\ndata: 2\n\n"

    bench.play(handler, test)
